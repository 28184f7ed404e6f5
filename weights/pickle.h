#pragma once
#include <c10/core/ScalarType.h>

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace keyflow::weights {

// A pickle is a program for a stack machine. This one builds plain values and descriptions of tensors; it calls
// nothing. Values live in one array and refer to each other by index, so nothing recurses, not even their destruction.

using ValueId = uint32_t;

enum class PickleKind : uint8_t {
  none,
  boolean,
  integer,
  big_integer,
  real,
  text,
  bytes,
  tuple,
  list,
  dict,
  set,
  global,   ///< a name that a pickle may refer to; `number` indexes Pickle::globals
  object,   ///< something of a class that keyflow does not know: inert; `number` as for global
  storage,  ///< `number` indexes Pickle::storages
  tensor,   ///< `number` indexes Pickle::tensors
};

struct PickleValue {
  PickleKind kind = PickleKind::none;
  bool holds_tensor = false;  ///< itself or below, as far as known when it was made
  uint16_t depth = 0;
  int64_t number = 0;
  std::string_view text;       ///< into the file: text, bytes, big_integer
  std::vector<ValueId> items;  ///< of tuple, list, set; of dict: key, value, key, value, ...
};

/// What a global does when it is called.
enum class Callable : uint8_t {
  unknown,
  ordered_dict,
  plain_container,
  size,
  encode,
  storage_type,
  dtype,
  rebuild_tensor,
  rebuild_tensor_v3,
  rebuild_parameter,
  rebuild_from_type,
};

struct PickleGlobal {
  std::string name;  ///< "torch._utils._rebuild_tensor_v2"
  Callable callable = Callable::unknown;
  at::ScalarType dtype = at::kByte;         ///< of storage_type and dtype
  PickleKind container = PickleKind::none;  ///< of plain_container
};

/// A run of bytes that the file keeps elsewhere under `key`.
struct PickleStorage {
  std::string key;
  at::ScalarType dtype = at::kByte;
  uint64_t bytes = 0;       ///< that the whole storage claims to have
  uint64_t view_begin = 0;  ///< in bytes: the part meant
  uint64_t view_bytes = 0;
};

/// Sizes and strides as the file states them: whole numbers, nothing else is checked yet.
struct PickleTensor {
  size_t storage = 0;
  at::ScalarType dtype = at::kFloat;
  int64_t offset = 0;
  std::vector<int64_t> sizes, strides;
};

struct Pickle {
  std::deque<PickleValue> values;
  std::vector<PickleGlobal> globals;
  std::vector<PickleStorage> storages;
  std::vector<PickleTensor> tensors;
  ValueId root = 0;
  uint64_t end = 0;  ///< offset behind STOP
};

/// Runs the pickle that starts at `begin`. Throws Error::weights, which starts with `where` and names an offset into
/// `bytes`, for anything malformed, for too much of anything, and for a file that wants code to be run.
Pickle read_pickle(std::span<const uint8_t> bytes, uint64_t begin, const std::string& where);

/// What `module.name` means here; throws Error::weights ("this file tries to run code") for modules that run things.
PickleGlobal resolve_global(std::string_view module, std::string_view name, const std::string& where);

/// "a dict", "a tensor" ... for messages.
std::string words_of(const Pickle& pickle, ValueId id);

}  // namespace keyflow::weights
