#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace keyflow::text {

/// A stretch of a prompt whose tokens all have one weight.
struct PromptPiece {
  std::string text;
  double weight = 1;
  bool breaks = false;  ///< BREAK stands in front of it: its tokens begin a new chunk
};

/// A LoRA that a prompt asks for. The same name twice is listed twice: their weights add up.
struct PromptLora {
  std::string name;
  double model_weight = 1;
  double text_weight = 1;   ///< for the text encoders
  bool high_noise = false;  ///< only for the expert of high noise
};

struct Prompt {
  std::vector<PromptPiece> pieces;  ///< at least one, which may be empty; neighbours differ in weight or break
  std::vector<PromptLora> loras;    ///< taken out of the text
};

/// Reads the prompt syntax that AUTOMATIC1111's program made common:
///   (x)  ((x))  (x:1.3)  [x]         weight 1.1, 1.1 * 1.1, 1.3, 1/1.1; they multiply where they are nested
///   \( \) \[ \] \\                   the character itself; a lone backslash vanishes
///   BREAK                            as a word of its own, upper case: the next chunk begins
///   <lora:NAME:W>  <lora:NAME:T:M>   LoRA with one weight, or with one for the text encoders and one for the model;
///   <lora:NAME:te=T:unet=M>          also <lyco:...>, and |high_noise| in front of NAME as stable-diffusion.cpp has it
/// Brackets without partner, and what is no number behind a colon, are text as they are there: an open bracket counts
/// to the end of the prompt, a closing one is a character. `{a|b}`, AND and lines that begin with # are plain text.
///
/// Departures: BREAK inside brackets breaks as well (there it becomes a word of negative weight); "(x:1.2.3)" has a
/// text ":1.2.3" (there it is a crash); <word:...> of unknown words stays in the text (there it vanishes).
///
/// throws Error::usage, naming the byte, for prompt editing and alternation ([a:b:0.5], [a:0.5], [a|b]) and
///        hypernetworks, which are not supported; for a <lora:...> without name, without end or with a weight that is
///        no number; for brackets nested a hundred deep and weights beyond a million; and as require_prompt()
/// source AUTOMATIC1111/stable-diffusion-webui: modules/prompt_parser.py@0674fab parse_prompt_attention (later versions
///        allow spaces around a weight), modules/extra_networks.py@013e422 parse_prompt,
///        extensions-builtin/Lora/extra_networks_lora.py activate
Prompt parse_prompt(std::string_view text);

/// A text as it is but for its <lora:...>, which are taken out: for families that read prompts without weights.
/// throws Error::usage as parse_prompt() for such a tag
std::string without_loras(std::string_view text, std::vector<PromptLora>& loras);

/// The text as it is, without any syntax.
/// throws Error::usage as require_prompt()
Prompt plain_prompt(std::string_view text);

/// The text of all pieces from number `first` on; a space stands for a BREAK.
std::string text_of(const Prompt& prompt, size_t first = 0);

}  // namespace keyflow::text
