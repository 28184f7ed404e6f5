#pragma once
#include <string>
#include <string_view>

namespace keyflow::text {

/// Longer prompts are refused: nothing a model reads is lost, and every step stays under a second.
constexpr size_t kMostPromptBytes = 1u << 20;

/// Throws Error::usage unless `text` is UTF-8 without NUL and at most kMostPromptBytes long; the message names the
/// byte.
void require_prompt(std::string_view text);

/// The cleaning that Wan's prompts go through before tokenizing: fix_text, HTML entities unescaped twice, outer white
/// space stripped, inner runs of white space made one space.
/// throws Error::usage as require_prompt
/// source Wan2.1 wan/modules/tokenizers.py@9737cba basic_clean, whitespace_clean
std::string clean_prompt(std::string_view text);

}  // namespace keyflow::text
