#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "text/added_tokens.h"

namespace keyflow::text {

/// What a tokenizer_config.json says that the vocabulary beside it does not. Its other keys have no influence on the
/// ids: class names, lengths, clean-up and decoding.
struct TokenizerConfig {
  std::string pad_token;          ///< "" if it names none
  std::vector<AddedToken> added;  ///< "added_tokens_decoder"
  int64_t extra_ids = 0;          ///< T5's sentinels, when "added_tokens_decoder" does not list them
};

/// Reads it from the folder; an absent file gives the defaults. Where it has no "added_tokens_decoder" the padding
/// token of a special_tokens_map.json beside it counts: SD 2.1's is named there alone. Throws Error::config. source
/// transformers@5.23.0: tokenization_utils_base.py _from_pretrained
TokenizerConfig read_tokenizer_config(const std::filesystem::path& folder);

}  // namespace keyflow::text
