#include "models/clip/vision_keys.h"

#include <array>
#include <charconv>

namespace keyflow::clip {
namespace {

constexpr std::string_view kLayers = "encoder.layers.";

/// Wan's names outside the blocks.
constexpr std::array<std::array<std::string_view, 2>, 5> kOuter{
    {{"embeddings.class_embedding", "cls_embedding"},
     {"embeddings.patch_embedding.weight", "patch_embedding.weight"},
     {"embeddings.position_embedding.weight", "pos_embedding"},
     {"pre_layrnorm.weight", "pre_norm.weight"},
     {"pre_layrnorm.bias", "pre_norm.bias"}}};

/// Inside a block, without ".weight" and ".bias".
constexpr std::array<std::array<std::string_view, 2>, 5> kInner{{{"layer_norm1", "norm1"},
                                                                 {"layer_norm2", "norm2"},
                                                                 {"self_attn.out_proj", "attn.proj"},
                                                                 {"mlp.fc1", "mlp.0"},
                                                                 {"mlp.fc2", "mlp.2"}}};
constexpr std::array<std::string_view, 3> kProjections{"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"};

weights::FileName official_name(const std::string& name) {
  for (const auto& [model, file] : kOuter) {
    if (name == model) return {std::string(file)};
  }
  const size_t dot = name.find('.', kLayers.size()), last = name.rfind('.');
  const std::string block = "transformer." + name.substr(kLayers.size(), dot - kLayers.size()) + ".";
  const std::string layer = name.substr(dot + 1, last - dot - 1), kind = name.substr(last);
  for (size_t i = 0; i < kProjections.size(); ++i) {
    if (layer == kProjections[i]) return {block + "attn.to_qkv" + kind, static_cast<int64_t>(i), 3};
  }
  for (const auto& [model, file] : kInner) {
    if (layer == model) return {block + std::string(file) + kind};
  }
  return {name};
}

bool in_block(const std::string& name, const std::string& blocks, int64_t index) {
  return name.starts_with(blocks + std::to_string(index) + ".");
}

}  // namespace

weights::Rename VisionKeys::rename() const {
  return [keys = *this](const std::string& name) {
    weights::FileName target =
        keys.spelling == VisionSpelling::official ? official_name(name) : weights::same_name(name);
    target.name = keys.prefix + target.name;
    return target;
  };
}

weights::Ignore VisionKeys::ignore() const {
  return [keys = *this](const std::string& name) {
    if (!name.starts_with(keys.prefix)) {
      // The text tower and its scale; the projection of CLIPVisionModelWithProjection.
      return name.starts_with("textual.") || name.starts_with("text_model.") || name == "log_scale" ||
             name == "visual_projection.weight";
    }
    const std::string rest = name.substr(keys.prefix.size());
    const bool official = keys.spelling == VisionSpelling::official;
    // Wan takes the output of the last block but one: the last block, the norm and the projection after it are not run.
    return in_block(rest, official ? "transformer." : std::string(kLayers), keys.num_hidden_layers - 1) ||
           rest.starts_with(official ? "post_norm." : "post_layernorm.") || rest == "head" ||
           rest == "embeddings.position_ids" || rest == "visual_projection.weight";
  };
}

VisionKeys vision_keys(const std::vector<weights::TensorInfo>& tensors) {
  VisionKeys keys;
  for (const auto& info : tensors) {
    if (info.name == "visual.cls_embedding") {
      keys.spelling = VisionSpelling::official;
      keys.prefix = "visual.";
    } else if (info.name == "vision_model.embeddings.class_embedding") {
      keys.prefix = "vision_model.";
    }
  }
  const std::string blocks =
      keys.prefix + (keys.spelling == VisionSpelling::official ? "transformer." : std::string(kLayers));
  for (const auto& info : tensors) {
    if (!info.name.starts_with(blocks)) continue;
    int64_t index = 0;
    const char* begin = info.name.data() + blocks.size();
    std::from_chars(begin, info.name.data() + info.name.size(), index);
    keys.num_hidden_layers = std::max(keys.num_hidden_layers, index + 1);
  }
  return keys;
}

}  // namespace keyflow::clip
