#pragma once
#include <cstdint>
#include <span>
#include <string>

namespace keyflow::weights {

enum class FileFormat { safetensors, gguf, zip, pickle, index, ncnn, other };

/// The format that the first bytes (at least 512 where the file has them) speak for. A name never counts.
FileFormat format_of(std::span<const uint8_t> bytes);

/// What a file of FileFormat::other is, in words ("a PNG picture", "a Git LFS pointer ..."); `readable_later` tells a
/// checkpoint that keyflow does not read yet from something that is no checkpoint.
struct Foreign {
  std::string words;
  bool readable_later = false;
};
Foreign describe_foreign(std::span<const uint8_t> bytes);

}  // namespace keyflow::weights
