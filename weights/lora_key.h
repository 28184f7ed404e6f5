#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace keyflow::weights {

/// The part a tensor of a LoRA file plays for the layer it belongs to.
enum class LoraRole {
  alpha,
  down,
  up,
  mid,
  magnitude,      ///< DoRA, of either side
  row_magnitude,  ///< DoRA as PEFT has it: always of the rows
  hada_w1_a,
  hada_w1_b,
  hada_w2_a,
  hada_w2_b,
  hada_t1,
  hada_t2,
  lokr_w1,
  lokr_w1_a,
  lokr_w1_b,
  lokr_w2,
  lokr_w2_a,
  lokr_w2_b,
  lokr_t2,
  difference,
  bias_difference,
  up_bias,  ///< of PEFT's second matrix, scaled as that is
};

/// A tensor's name taken apart: the layer as the file spells it, and the role.
struct LoraKey {
  std::string layer;
  LoraRole role;
};

/// Of every spelling in use: "L.lora_down.weight" (kohya), "L.lora_A.weight", "L.lora_A.NAME.weight" (PEFT),
/// "L.lora.down.weight", "L_lora.down.weight", "L.lora_linear_layer.down.weight" (diffusers), "L.hada_w1_a",
/// "L.lokr_w1", "L.diff" (LyCORIS), "L.alpha" ... The layer "blocks.0.processor.qkv_lora1" of XLabs keeps its end.
/// Nothing for a name that is none of these.
std::optional<LoraKey> lora_key(std::string_view name);

}  // namespace keyflow::weights
