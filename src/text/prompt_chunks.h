#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "text/prompt_syntax.h"
#include "text/tokenizer.h"

namespace keyflow::text {

/// One run of a text encoder: begin token, text, end token, padding.
struct TokenRow {
  std::vector<int64_t> ids;         ///< all rows of a prompt are of one length
  std::vector<double> weights;      ///< one for each id; 1 for begin, end and padding
  std::vector<std::string> pieces;  ///< each id as the vocabulary spells it
  size_t used = 0;                  ///< ids before the padding
};

/// A prompt as the tokens of one encoder.
struct PromptTokens {
  std::vector<TokenRow> rows;
  std::string lost;  ///< the end of the text that found no room, "" if none

  /// Whether some weight is not 1.
  bool weighted() const;
};

constexpr size_t kClipTokens = 77;

struct ChunkRule {
  size_t length = kClipTokens;  ///< ids of a row, begin and end token included
  /// Where a row is full and a comma stands at most this many tokens from its end, what follows the comma goes to the
  /// next row; 0 never. A1111's default, "prompt word wrap length limit".
  size_t comma_window = 20;
};

/// A prompt of any length in rows: nothing is lost. BREAK begins a new row, one in front of all text leaves an empty
/// row. The vectors of a learned word stay in one row. Padded with the tokenizer's padding token, which OpenCLIP's
/// vocabularies (SD 2, second encoder of SDXL and SD 3) have apart from the end token.
///
/// throws Error::config for a tokenizer that does not frame a text by one token on either side
/// source AUTOMATIC1111/stable-diffusion-webui: modules/sd_hijack_clip.py@00e0938 tokenize_line, process_tokens;
///        modules/shared_options.py comma_padding_backtrack
PromptTokens chunked_tokens(const Tokenizer& tokenizer, const Prompt& prompt, const ChunkRule& rule = {});

/// One row of `length` ids, as diffusers makes it: what does not fit is cut off and told. BREAK only divides words. For
/// T5, for the pooled CLIP text of FLUX, and to repeat diffusers; a prompt that fits has the ids of chunked_tokens().
///
/// throws Error::usage for a length without room for the template
/// source diffusers@0.42.1: pipelines/stable_diffusion/pipeline_stable_diffusion.py encode_prompt,
///        pipelines/stable_diffusion_3/pipeline_stable_diffusion_3.py _get_t5_prompt_embeds
PromptTokens fixed_tokens(const Tokenizer& tokenizer, const Prompt& prompt, size_t length);

/// Throws Error::usage, with the nearest word, for an "embedding:NAME" in the prompt that is none of `words`.
void require_known_embeddings(const Prompt& prompt, const std::vector<LearnedWord>& words);

/// Adds empty rows until there are `rows`: the prompts of a picture, and both encoders of one, need equal numbers.
void add_empty_rows(PromptTokens& tokens, const Tokenizer& tokenizer, size_t rows);

}  // namespace keyflow::text
