#pragma once
#include <string>
#include <utility>
#include <vector>

#include "tests/weights/hostile_files.h"

// Builders of pickles and zip archives for the tests of the checkpoint reader.
namespace keyflow::weights::testing {

/// A stored zip entry; each field may be made to lie.
struct ZipSpec {
  std::string name, bytes;
  int method = 0, flags = 0;
  std::string local_name = name;
  int64_t directory_size = -1;  ///< the size the directory states, -1: the true one
  int64_t offset = -1;          ///< the offset the directory states
};

/// An archive of stored entries. `count` -1: the true number of entries.
std::string zip(const std::vector<ZipSpec>& entries, int count = -1);

/// torch.save's archive around a pickle: archive/data.pkl and archive/data/KEY.
std::string checkpoint(const std::string& pickle,
                       const std::vector<std::pair<std::string, std::string>>& storages = {});

namespace op {

std::string text(const std::string& value);  // BINUNICODE
std::string number(int64_t value);           // BININT or LONG1
std::string tuple(const std::vector<std::string>& items);
std::string global(const std::string& module, const std::string& name);
/// ("storage", torch.TYPE, key, "cpu", count) as a persistent id
std::string storage(const std::string& type, const std::string& key, int64_t count);
std::string tensor(const std::string& storage, int64_t offset, const std::vector<int64_t>& sizes,
                   const std::vector<int64_t>& strides);
std::string dict(const std::vector<std::pair<std::string, std::string>>& items);
/// PROTO 2, the value, STOP
std::string pickle(const std::string& value);

}  // namespace op

/// A checkpoint of one F32 tensor "a" over one storage "0" of `count` floats.
std::string one_tensor(const std::vector<int64_t>& sizes, const std::vector<int64_t>& strides, int64_t offset = 0,
                       int64_t count = 4);

}  // namespace keyflow::weights::testing
