#include "models/flux/keys.h"

#include <array>

#include "weights/name_table.h"

namespace keyflow::flux {
namespace {

using weights::FileName;
using weights::NameRule;

/// diffusers' own file stacks scale over shift.
constexpr std::array kDiffusers{
    NameRule{"norm_out.scale", "norm_out.linear", 0, 2},
    NameRule{"norm_out.shift", "norm_out.linear", 1, 2},
};

constexpr std::array kBflOuter{
    NameRule{"x_embedder", "img_in"},
    NameRule{"context_embedder", "txt_in"},
    NameRule{"time_text_embed.timestep_embedder.linear_1", "time_in.in_layer"},
    NameRule{"time_text_embed.timestep_embedder.linear_2", "time_in.out_layer"},
    NameRule{"time_text_embed.text_embedder.linear_1", "vector_in.in_layer"},
    NameRule{"time_text_embed.text_embedder.linear_2", "vector_in.out_layer"},
    NameRule{"time_text_embed.guidance_embedder.linear_1", "guidance_in.in_layer"},
    NameRule{"time_text_embed.guidance_embedder.linear_2", "guidance_in.out_layer"},
    NameRule{"norm_out.shift", "final_layer.adaLN_modulation.1", 0, 2},
    NameRule{"norm_out.scale", "final_layer.adaLN_modulation.1", 1, 2},
    NameRule{"proj_out", "final_layer.linear"},
};

/// Inside "transformer_blocks.N." and "double_blocks.N.".
constexpr std::array kBflDouble{
    NameRule{"norm1.linear", "img_mod.lin"},
    NameRule{"norm1_context.linear", "txt_mod.lin"},
    NameRule{"attn.to_q", "img_attn.qkv", 0, 3},
    NameRule{"attn.to_k", "img_attn.qkv", 1, 3},
    NameRule{"attn.to_v", "img_attn.qkv", 2, 3},
    NameRule{"attn.norm_q.weight", "img_attn.norm.query_norm.scale"},
    NameRule{"attn.norm_k.weight", "img_attn.norm.key_norm.scale"},
    NameRule{"attn.to_out.0", "img_attn.proj"},
    NameRule{"attn.add_q_proj", "txt_attn.qkv", 0, 3},
    NameRule{"attn.add_k_proj", "txt_attn.qkv", 1, 3},
    NameRule{"attn.add_v_proj", "txt_attn.qkv", 2, 3},
    NameRule{"attn.norm_added_q.weight", "txt_attn.norm.query_norm.scale"},
    NameRule{"attn.norm_added_k.weight", "txt_attn.norm.key_norm.scale"},
    NameRule{"attn.to_add_out", "txt_attn.proj"},
    NameRule{"ff.net.0.proj", "img_mlp.0"},
    NameRule{"ff.net.2", "img_mlp.2"},
    NameRule{"ff_context.net.0.proj", "txt_mlp.0"},
    NameRule{"ff_context.net.2", "txt_mlp.2"},
};

/// Inside "single_transformer_blocks.N." and "single_blocks.N."; the MLP is four times as wide as q, k and v.
constexpr std::array kBflSingle{
    NameRule{"norm.linear", "modulation.lin"},
    NameRule{"attn.to_q", "linear1", 0, 7},
    NameRule{"attn.to_k", "linear1", 1, 7},
    NameRule{"attn.to_v", "linear1", 2, 7},
    NameRule{"proj_mlp", "linear1", 3, 7, 4},
    NameRule{"attn.norm_q.weight", "norm.query_norm.scale"},
    NameRule{"attn.norm_k.weight", "norm.key_norm.scale"},
    NameRule{"proj_out", "linear2"},
};

FileName in_block(const std::string& name, std::string_view block, const std::string& index,
                  std::optional<FileName> inner) {
  if (!inner) return {name};
  inner->name = std::string(block) + index + "." + inner->name;
  return *inner;
}

FileName bfl_name(const std::string& name) {
  if (const auto block = weights::block_name(name, "transformer_blocks.")) {
    return in_block(name, "double_blocks.", block->index, weights::look_up(kBflDouble, block->inner));
  }
  if (const auto block = weights::block_name(name, "single_transformer_blocks.")) {
    return in_block(name, "single_blocks.", block->index, weights::look_up(kBflSingle, block->inner));
  }
  return weights::look_up(kBflOuter, name).value_or(FileName{name});
}

}  // namespace

std::string_view name_of(Spelling spelling) { return spelling == Spelling::bfl ? "bfl" : "diffusers"; }

weights::Rename TransformerKeys::rename() const {
  return [keys = *this](const std::string& name) {
    FileName target =
        keys.spelling == Spelling::bfl ? bfl_name(name) : weights::look_up(kDiffusers, name).value_or(FileName{name});
    target.name = keys.prefix + target.name;
    return target;
  };
}

weights::Ignore TransformerKeys::ignore() const {
  return [whole = !prefix.empty()](const std::string& name) {
    // The VAE and the text encoders of a whole checkpoint.
    return whole &&
           (name.starts_with("first_stage_model.") || name.starts_with("vae.") || name.starts_with("text_encoders."));
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
    if (name.starts_with("double_blocks.") || name.starts_with("img_in.")) keys.spelling = Spelling::bfl;
  }
  return keys;
}

}  // namespace keyflow::flux
