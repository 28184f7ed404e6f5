#pragma once
#include "text/added_tokens.h"
#include "text/normalizer.h"
#include "text/splitter.h"
#include "text/token_frame.h"
#include "text/token_model.h"

namespace keyflow::text {

/// A tokenizer in the stages of Hugging Face's: added tokens are cut out, the rest is normalised, split into words, and
/// each word divided by the model.
/// source tokenizers@0.23: tokenizers/src/tokenizer/mod.rs encode
struct TokenPipeline {
  AddedTokens added;
  Normalizer normalize;
  Splitter split;
  std::shared_ptr<const TokenModel> model;
  TokenFrame frame;
  int64_t pad = 0;
  std::string kind;
};

std::shared_ptr<Tokenizer> make_tokenizer(TokenPipeline pipeline);

/// The id of the padding token: `named` (of tokenizer_config.json; "" if it names none), else "<pad>", else the last
/// token of the frame. Throws Error::config if there is none of them.
int64_t find_pad(const TokenPipeline& pipeline, const std::string& named, const JsonPlace& place);

}  // namespace keyflow::text
