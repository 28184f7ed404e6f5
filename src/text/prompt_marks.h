#pragma once
#include <string_view>
#include <vector>

#include "text/glyphs.h"
#include "text/prompt_syntax.h"

// What parse_prompt() does besides weights.
namespace keyflow::text {

/// Takes <lora:...> and <lyco:...> out of `text`, the characters of `prompt`.
/// throws Error::usage
/// source AUTOMATIC1111/stable-diffusion-webui: modules/extra_networks.py@013e422 re_extra_net
Glyphs take_loras(const Glyphs& text, std::string_view prompt, std::vector<PromptLora>& loras);

/// Throws Error::usage for square brackets that mean a change of the prompt while it is sampled. Slow for text that
/// PieceReader refuses as nested too deep.
/// source AUTOMATIC1111/stable-diffusion-webui: modules/prompt_parser.py@0674fab schedule_parser, rules `scheduled` and
/// `alternate`
void refuse_editing(const Glyphs& text);

}  // namespace keyflow::text
