#pragma once
#include <string>
#include <vector>

#include "tests/weights/hostile_files.h"

// GGUF files byte by byte.
namespace keyflow::weights::testing {

inline std::string gguf_text(const std::string& text) { return little(text.size(), 8) + text; }

/// Key, value type, value.
inline std::string gguf_key(const std::string& key, uint32_t type, const std::string& value) {
  return gguf_text(key) + little(type, 4) + value;
}

/// `dims` as the file has them, the fastest first.
inline std::string gguf_tensor(const std::string& name, const std::vector<uint64_t>& dims, uint32_t type,
                               uint64_t offset) {
  std::string bytes = gguf_text(name) + little(dims.size(), 4);
  for (const uint64_t size : dims) bytes += little(size, 8);
  return bytes + little(type, 4) + little(offset, 8);
}

/// A whole file: the data is `zeros` zero bytes at the next multiple of 32.
inline std::string gguf_file(const std::vector<std::string>& tensors, const std::vector<std::string>& keys = {},
                             size_t zeros = 0, uint32_t version = 3) {
  std::string bytes = "GGUF" + little(version, 4) + little(tensors.size(), 8) + little(keys.size(), 8);
  for (const auto& key : keys) bytes += key;
  for (const auto& tensor : tensors) bytes += tensor;
  if (zeros > 0) bytes.resize((bytes.size() + 31) / 32 * 32 + zeros, '\0');
  return bytes;
}

}  // namespace keyflow::weights::testing
