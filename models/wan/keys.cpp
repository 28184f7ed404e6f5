#include "models/wan/keys.h"

#include <array>
#include <utility>

namespace keyflow::wan {
namespace {

using Pair = std::pair<std::string_view, std::string_view>;

/// Names outside the blocks, official first, each without its ".weight" or ".bias".
constexpr std::array kOuter{
    Pair{"text_embedding.0", "condition_embedder.text_embedder.linear_1"},
    Pair{"text_embedding.2", "condition_embedder.text_embedder.linear_2"},
    Pair{"time_embedding.0", "condition_embedder.time_embedder.linear_1"},
    Pair{"time_embedding.2", "condition_embedder.time_embedder.linear_2"},
    Pair{"time_projection.1", "condition_embedder.time_proj"},
    Pair{"head.head", "proj_out"},
    Pair{"img_emb.proj.0", "condition_embedder.image_embedder.norm1"},
    Pair{"img_emb.proj.1", "condition_embedder.image_embedder.ff.net.0.proj"},
    Pair{"img_emb.proj.3", "condition_embedder.image_embedder.ff.net.2"},
    Pair{"img_emb.proj.4", "condition_embedder.image_embedder.norm2"},
};

/// Names that are whole tensors.
constexpr std::array kWhole{
    Pair{"head.modulation", "scale_shift_table"},
    Pair{"img_emb.emb_pos", "condition_embedder.image_embedder.pos_embed"},
};

/// Names inside block i, after "blocks.i."; norm2 and norm3 change places between the spellings, and only the norm
/// before cross-attention has parameters.
constexpr std::array kInner{
    Pair{"self_attn.q", "attn1.to_q"},
    Pair{"self_attn.k", "attn1.to_k"},
    Pair{"self_attn.v", "attn1.to_v"},
    Pair{"self_attn.o", "attn1.to_out.0"},
    Pair{"self_attn.norm_q", "attn1.norm_q"},
    Pair{"self_attn.norm_k", "attn1.norm_k"},
    Pair{"cross_attn.q", "attn2.to_q"},
    Pair{"cross_attn.k", "attn2.to_k"},
    Pair{"cross_attn.v", "attn2.to_v"},
    Pair{"cross_attn.o", "attn2.to_out.0"},
    Pair{"cross_attn.norm_q", "attn2.norm_q"},
    Pair{"cross_attn.norm_k", "attn2.norm_k"},
    Pair{"cross_attn.k_img", "attn2.add_k_proj"},
    Pair{"cross_attn.v_img", "attn2.add_v_proj"},
    Pair{"cross_attn.norm_k_img", "attn2.norm_added_k"},
    Pair{"norm3", "norm2"},
    Pair{"ffn.0", "ffn.net.0.proj"},
    Pair{"ffn.2", "ffn.net.2"},
};

template <size_t Count>
std::string map_stem(const std::string& name, const std::array<Pair, Count>& table) {
  const size_t dot = name.rfind('.');
  const std::string_view stem = std::string_view(name).substr(0, dot);
  for (const auto& [official, diffusers] : table) {
    if (stem == official) return std::string(diffusers) + name.substr(dot);
  }
  return name;
}

}  // namespace

std::string_view name_of(Spelling spelling) { return spelling == Spelling::official ? "official" : "diffusers"; }

std::string to_diffusers_name(const std::string& official) {
  for (const auto& [from, to] : kWhole) {
    if (official == from) return std::string(to);
  }
  if (!official.starts_with("blocks.")) return map_stem(official, kOuter);
  const size_t inside = official.find('.', 7) + 1;
  const std::string block = official.substr(0, inside), inner = official.substr(inside);
  return block + (inner == "modulation" ? "scale_shift_table" : map_stem(inner, kInner));
}

weights::Rename TransformerKeys::rename() const {
  return [keys = *this](const std::string& name) -> weights::FileName {
    return {keys.prefix + (keys.spelling == Spelling::official ? name : to_diffusers_name(name))};
  };
}

weights::Ignore TransformerKeys::ignore() const {
  return [spelling = spelling](const std::string& name) {
    // Old diffusers files carry the query norm of the image branch, which has no query of its own.
    return spelling == Spelling::diffusers && name.ends_with(".attn2.norm_added_q.weight");
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
    if (name.starts_with("condition_embedder.") || name.starts_with("proj_out.")) keys.spelling = Spelling::diffusers;
  }
  return keys;
}

}  // namespace keyflow::wan
