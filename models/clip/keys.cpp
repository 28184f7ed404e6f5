#include "models/clip/keys.h"

#include <c10/util/StringUtil.h>

#include <array>

namespace keyflow::clip {
namespace {

struct Line {
  std::string_view ours, official;
  int64_t part = 0, parts = 1;
};

/// Whole tensors outside the layers.
constexpr std::array kOuter{
    Line{"embeddings.class_embedding", "cls_embedding"},
    Line{"embeddings.position_embedding.weight", "pos_embedding"},
    Line{"embeddings.patch_embedding.weight", "patch_embedding.weight"},
    Line{"pre_layrnorm.weight", "pre_norm.weight"},
    Line{"pre_layrnorm.bias", "pre_norm.bias"},
};

/// Inside layer i, without ".weight" or ".bias".
constexpr std::array kInner{
    Line{"layer_norm1", "norm1"},
    Line{"self_attn.q_proj", "attn.to_qkv", 0, 3},
    Line{"self_attn.k_proj", "attn.to_qkv", 1, 3},
    Line{"self_attn.v_proj", "attn.to_qkv", 2, 3},
    Line{"self_attn.out_proj", "attn.proj"},
    Line{"layer_norm2", "norm2"},
    Line{"mlp.fc1", "mlp.0"},
    Line{"mlp.fc2", "mlp.2"},
};

constexpr std::string_view kLayers = "encoder.layers.";

}  // namespace

std::string_view name_of(Spelling spelling) { return spelling == Spelling::official ? "official" : "huggingface"; }

weights::FileName to_official_name(const std::string& name) {
  for (const auto& line : kOuter) {
    if (name == line.ours) return {std::string(line.official)};
  }
  if (!name.starts_with(kLayers)) return {name};
  const size_t inside = name.find('.', kLayers.size()), end = name.rfind('.');
  const std::string index = name.substr(kLayers.size(), inside - kLayers.size());
  const std::string stem = name.substr(inside + 1, end - inside - 1), suffix = name.substr(end);
  for (const auto& line : kInner) {
    if (stem == line.ours) {
      return {c10::str("transformer.", index, ".", line.official, suffix), line.part, line.parts};
    }
  }
  return {name};
}

weights::Rename VisionKeys::rename() const {
  return [keys = *this](const std::string& name) -> weights::FileName {
    weights::FileName target = keys.spelling == Spelling::official ? to_official_name(name) : weights::FileName{name};
    target.name = keys.prefix + target.name;
    return target;
  };
}

weights::Ignore VisionKeys::ignore(int64_t layers) const {
  const bool official = spelling == Spelling::official;
  const std::string last =
      prefix + (official ? "transformer." : std::string(kLayers)) + std::to_string(layers - 1) + ".";
  return [official, last, prefix = prefix](const std::string& name) {
    // The penultimate layer's output is wanted: the last layer, the norm after it and the projection do not run.
    if (name.starts_with(last)) return true;
    if (official) {
      // The other half of the file is the text tower and the scale of its scores.
      return name == prefix + "head" || name.starts_with(prefix + "post_norm.") || name.starts_with("textual.") ||
             name == "log_scale";
    }
    // 0, 1, 2, ...: old files save this buffer.
    if (name == prefix + "embeddings.position_ids") return true;
    // A whole CLIPModel has its text tower and projections beside the picture encoder.
    return name.starts_with(prefix + "post_layernorm.") || name == "visual_projection.weight" ||
           name.starts_with("text_model.") || name == "text_projection.weight" || name == "logit_scale";
  };
}

VisionKeys vision_keys(const std::vector<weights::TensorInfo>& tensors) {
  for (const auto& info : tensors) {
    const std::string_view name = info.name;
    for (const auto& [end, spelling] :
         {std::pair<std::string_view, Spelling>{"embeddings.class_embedding", Spelling::huggingface},
          std::pair<std::string_view, Spelling>{"cls_embedding", Spelling::official}}) {
      if (name.ends_with(end)) return {spelling, std::string(name.substr(0, name.size() - end.size()))};
    }
  }
  return {};
}

}  // namespace keyflow::clip
