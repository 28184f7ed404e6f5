#pragma once
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "text/json_fields.h"
#include "text/token_model.h"
#include "text/tokenizer.h"

namespace keyflow::text {

/// The tokens that a vocabulary puts around a prompt.
struct TokenFrame {
  std::vector<Token> before, after;

  /// The framed tokens of a prompt, at most `limit` of them (0: all): the frame stays whole, the prompt loses its end.
  /// body    may stop short once it has more tokens than fit
  /// throws  Error::usage for a limit without room for the frame
  Tokens apply(std::string_view text, const std::vector<Token>& body, int64_t limit) const;

  /// How many tokens of a prompt are worth computing: one more than fit.
  size_t enough(int64_t limit) const;
};

/// The "post_processor" of a tokenizer.json, as far as it concerns single texts: TemplateProcessing, RobertaProcessing,
/// BertProcessing; null is an empty frame. Throws Error::unsupported for others.
TokenFrame read_token_frame(const nlohmann::json& json, const JsonPlace& place);

}  // namespace keyflow::text
