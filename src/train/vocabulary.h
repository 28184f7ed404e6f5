#pragma once
#include <filesystem>
#include <string>
#include <vector>

namespace keyflow::train {

/// Learns a sentencepiece unigram vocabulary of at most `pieces` pieces from `corpus` and writes it to `path`.
/// Special ids are umT5's: pad 0, eos 1, bos 2, unk 3. Throws Error::config with sentencepiece's reason.
void train_vocabulary(const std::vector<std::string>& corpus, int64_t pieces, const std::filesystem::path& path);

}  // namespace keyflow::train
