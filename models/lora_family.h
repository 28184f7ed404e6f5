#pragma once
#include <string>

#include "weights/lora_file.h"

namespace keyflow::models {

/// What model a LoRA file seems to be for, by the names of its layers and the widths of their inputs: "Stable Diffusion
/// 1.x", "SDXL", "FLUX.1", "Wan 14B" ...; "" where they show nothing. For messages only: matching goes by name.
std::string lora_family(const weights::LoraFile& file);

/// "LoRA", or the kinds it mixes: "LoHa and LoKr"; with "DoRA" where lengths of rows or columns are trained too.
std::string lora_kinds(const weights::LoraFile& file);

/// "4", "4 to 16"; "full" without any factors.
std::string lora_ranks(const weights::LoraFile& file);

}  // namespace keyflow::models
