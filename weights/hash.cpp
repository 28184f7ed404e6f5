#include "weights/hash.h"

#include <algorithm>

#include "core/sha256.h"

namespace keyflow::weights {

std::string file_sha256(const std::filesystem::path& path) {
  const auto file = MappedFile::open(path);
  Sha256 hash;
  hash.update(file->data(), file->size());
  return hash.hex();
}

std::string model_hash(const TensorFile& file) {
  constexpr uint64_t kSamples = 16, kSampleBytes = 4096;
  Sha256 hash;
  for (const auto& part : file.parts()) {
    const uint64_t size = part.file->size();
    hash.update_number(size);
    hash.update(part.file->data() + part.header_begin, part.header_end - part.header_begin);
    const uint64_t sample = std::min(kSampleBytes, size);
    for (uint64_t i = 0; i < kSamples; ++i) {
      hash.update(part.file->data() + (size - sample) / (kSamples - 1) * i, sample);
    }
  }
  return hash.hex();
}

}  // namespace keyflow::weights
