#include "models/flux/lora_names.h"

#include <array>

#include "models/flux/keys.h"
#include "weights/name_table.h"

namespace keyflow::flux {
namespace {

using weights::FileName;
using weights::NameRule;

/// Inside "transformer_blocks.N." and "double_blocks.N."; 1 is the picture's stream, 2 the text's.
constexpr std::array kDouble{
    NameRule{"attn.to_q", "processor.qkv_lora1", 0, 3},       NameRule{"attn.to_k", "processor.qkv_lora1", 1, 3},
    NameRule{"attn.to_v", "processor.qkv_lora1", 2, 3},       NameRule{"attn.to_out.0", "processor.proj_lora1"},
    NameRule{"attn.add_q_proj", "processor.qkv_lora2", 0, 3}, NameRule{"attn.add_k_proj", "processor.qkv_lora2", 1, 3},
    NameRule{"attn.add_v_proj", "processor.qkv_lora2", 2, 3}, NameRule{"attn.to_add_out", "processor.proj_lora2"},
};

/// Inside "single_transformer_blocks.N." and "single_blocks.N.".
constexpr std::array kSingle{
    NameRule{"attn.to_q", "processor.qkv", 0, 3},
    NameRule{"attn.to_k", "processor.qkv", 1, 3},
    NameRule{"attn.to_v", "processor.qkv", 2, 3},
    NameRule{"proj_out", "processor.proj"},
};

/// The layers of XLabs' files; other names stay what they are.
FileName xlabs_name(const std::string& name) {
  const auto in = [&](std::string_view ours, std::string_view theirs,
                      std::span<const NameRule> table) -> std::optional<FileName> {
    const auto block = weights::block_name(name, ours);
    if (!block) return std::nullopt;
    auto inner = weights::look_up(table, block->inner);
    if (inner) inner->name = std::string(theirs) + block->index + "." + inner->name;
    return inner;
  };
  if (const auto found = in("transformer_blocks.", "double_blocks.", kDouble)) return *found;
  return in("single_transformer_blocks.", "single_blocks.", kSingle).value_or(FileName{name});
}

}  // namespace

weights::LoraNames lora_names() {
  weights::LoraNames names{"transformer", false, weights::denoiser_prefixes(), {}};
  for (const Spelling spelling : {Spelling::diffusers, Spelling::bfl}) {
    names.spellings.push_back(TransformerKeys{spelling, ""}.rename());
  }
  names.spellings.emplace_back(xlabs_name);
  return names;
}

}  // namespace keyflow::flux
