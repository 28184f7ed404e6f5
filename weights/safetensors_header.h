#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "weights/tensor_info.h"

namespace keyflow::weights {

/// One tensor of a safetensors header. `begin` and `end` count from the start of the data.
struct HeaderEntry {
  TensorInfo info;
  uint64_t begin = 0, end = 0;
  uint64_t header_byte = 0;  ///< where in the file its description starts
};

struct SafetensorsHeader {
  std::vector<HeaderEntry> entries;  ///< in the order of the file
  std::map<std::string, std::string> metadata;
};

/// Parses the JSON of a header, which starts at byte 8 of the file, without building a tree; checks every entry by
/// itself (names, types, sizes; not how the ranges lie in the file). Throws Error::weights that starts with `where`.
SafetensorsHeader parse_safetensors_header(std::string_view json, const std::string& where);

}  // namespace keyflow::weights
