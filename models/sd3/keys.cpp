#include "models/sd3/keys.h"

#include <array>

#include "weights/name_table.h"

namespace keyflow::sd3 {
namespace {

using weights::FileName;
using weights::NameRule;

/// diffusers' own files stack scale over shift.
constexpr std::array kDiffusersOuter{
    NameRule{"norm_out.scale", "norm_out.linear", 0, 2},
    NameRule{"norm_out.shift", "norm_out.linear", 1, 2},
};
constexpr std::array kDiffusersInner{
    NameRule{"norm1_context.scale", "norm1_context.linear", 0, 2},
    NameRule{"norm1_context.shift", "norm1_context.linear", 1, 2},
};

constexpr std::array kSaiOuter{
    NameRule{"pos_embed.pos_embed", "pos_embed"},
    NameRule{"pos_embed.proj", "x_embedder.proj"},
    NameRule{"time_text_embed.timestep_embedder.linear_1", "t_embedder.mlp.0"},
    NameRule{"time_text_embed.timestep_embedder.linear_2", "t_embedder.mlp.2"},
    NameRule{"time_text_embed.text_embedder.linear_1", "y_embedder.mlp.0"},
    NameRule{"time_text_embed.text_embedder.linear_2", "y_embedder.mlp.2"},
    NameRule{"norm_out.shift", "final_layer.adaLN_modulation.1", 0, 2},
    NameRule{"norm_out.scale", "final_layer.adaLN_modulation.1", 1, 2},
    NameRule{"proj_out", "final_layer.linear"},
};

/// Inside "transformer_blocks.N." and "joint_blocks.N.".
constexpr std::array kSaiInner{
    NameRule{"norm1.linear", "x_block.adaLN_modulation.1"},
    NameRule{"attn.to_q", "x_block.attn.qkv", 0, 3},
    NameRule{"attn.to_k", "x_block.attn.qkv", 1, 3},
    NameRule{"attn.to_v", "x_block.attn.qkv", 2, 3},
    NameRule{"attn.norm_q", "x_block.attn.ln_q"},
    NameRule{"attn.norm_k", "x_block.attn.ln_k"},
    NameRule{"attn.to_out.0", "x_block.attn.proj"},
    NameRule{"attn2.to_q", "x_block.attn2.qkv", 0, 3},
    NameRule{"attn2.to_k", "x_block.attn2.qkv", 1, 3},
    NameRule{"attn2.to_v", "x_block.attn2.qkv", 2, 3},
    NameRule{"attn2.norm_q", "x_block.attn2.ln_q"},
    NameRule{"attn2.norm_k", "x_block.attn2.ln_k"},
    NameRule{"attn2.to_out.0", "x_block.attn2.proj"},
    NameRule{"ff.net.0.proj", "x_block.mlp.fc1"},
    NameRule{"ff.net.2", "x_block.mlp.fc2"},
    NameRule{"norm1_context.linear", "context_block.adaLN_modulation.1"},
    NameRule{"norm1_context.shift", "context_block.adaLN_modulation.1", 0, 2},
    NameRule{"norm1_context.scale", "context_block.adaLN_modulation.1", 1, 2},
    NameRule{"attn.add_q_proj", "context_block.attn.qkv", 0, 3},
    NameRule{"attn.add_k_proj", "context_block.attn.qkv", 1, 3},
    NameRule{"attn.add_v_proj", "context_block.attn.qkv", 2, 3},
    NameRule{"attn.norm_added_q", "context_block.attn.ln_q"},
    NameRule{"attn.norm_added_k", "context_block.attn.ln_k"},
    NameRule{"attn.to_add_out", "context_block.attn.proj"},
    NameRule{"ff_context.net.0.proj", "context_block.mlp.fc1"},
    NameRule{"ff_context.net.2", "context_block.mlp.fc2"},
};

FileName file_name(const std::string& name, Spelling spelling) {
  const bool sai = spelling == Spelling::sai;
  const auto block = weights::block_name(name, "transformer_blocks.");
  if (!block) {
    const auto outer = sai ? weights::look_up(kSaiOuter, name) : weights::look_up(kDiffusersOuter, name);
    return outer.value_or(FileName{name});
  }
  auto inner = sai ? weights::look_up(kSaiInner, block->inner) : weights::look_up(kDiffusersInner, block->inner);
  if (!inner) return {name};
  inner->name = (sai ? "joint_blocks." : "transformer_blocks.") + block->index + "." + inner->name;
  return *inner;
}

}  // namespace

std::string_view name_of(Spelling spelling) { return spelling == Spelling::sai ? "sai" : "diffusers"; }

weights::Rename TransformerKeys::rename() const {
  return [keys = *this](const std::string& name) {
    FileName target = file_name(name, keys.spelling);
    target.name = keys.prefix + target.name;
    return target;
  };
}

weights::Ignore TransformerKeys::ignore() const {
  return [whole = !prefix.empty()](const std::string& name) {
    // The VAE and the text encoders of a whole checkpoint.
    return whole && (name.starts_with("first_stage_model.") || name.starts_with("text_encoders."));
  };
}

TransformerKeys transformer_keys(const std::vector<weights::TensorInfo>& tensors) {
  constexpr std::string_view kPrefix = "model.diffusion_model.";
  TransformerKeys keys;
  for (const auto& info : tensors) {
    std::string_view name = info.name;
    if (name.starts_with(kPrefix)) {
      keys.prefix = kPrefix;
      name.remove_prefix(kPrefix.size());
    }
    if (name.starts_with("joint_blocks.") || name.starts_with("x_embedder.proj.")) keys.spelling = Spelling::sai;
  }
  return keys;
}

}  // namespace keyflow::sd3
