#include "models/clip/text_keys.h"

#include <c10/util/StringUtil.h>

#include <array>
#include <set>

namespace keyflow::clip {
namespace {

struct Line {
  std::string_view ours, theirs;
  int64_t part = 0, parts = 1;
};

/// Whole tensors outside the layers.
constexpr std::array kOuter{
    Line{"embeddings.token_embedding.weight", "token_embedding.weight"},
    Line{"embeddings.position_embedding.weight", "positional_embedding"},
    Line{"final_layer_norm.weight", "ln_final.weight"},
    Line{"final_layer_norm.bias", "ln_final.bias"},
};

/// Inside layer i, up to "weight" or "bias".
constexpr std::array kInner{
    Line{"layer_norm1.", "ln_1."},
    Line{"self_attn.q_proj.", "attn.in_proj_", 0, 3},
    Line{"self_attn.k_proj.", "attn.in_proj_", 1, 3},
    Line{"self_attn.v_proj.", "attn.in_proj_", 2, 3},
    Line{"self_attn.out_proj.", "attn.out_proj."},
    Line{"layer_norm2.", "ln_2."},
    Line{"mlp.fc1.", "mlp.c_fc."},
    Line{"mlp.fc2.", "mlp.c_proj."},
};

constexpr std::string_view kLayers = "encoder.layers.", kTheirLayers = "transformer.resblocks.",
                           kProjection = "text_projection.weight", kTextModel = "text_model.";

/// Of SD 2.x in one file: its OpenCLIP encoder stops before the last layer.
constexpr std::string_view kSecondGeneration = "cond_stage_model.model.";

bool is_layer_from(const std::string& rest, std::string_view layers, int64_t first, int64_t count) {
  for (int64_t i = first; i < first + count; ++i) {
    if (rest.starts_with(c10::str(layers, i, "."))) return true;
  }
  return false;
}

}  // namespace

std::string_view name_of(TextSpelling spelling) {
  return spelling == TextSpelling::openclip ? "openclip" : "huggingface";
}

weights::FileName to_openclip_name(const std::string& name) {
  if (name == kProjection) return {.name = "text_projection", .transposed = true};
  for (const auto& line : kOuter) {
    if (name == line.ours) return {std::string(line.theirs)};
  }
  if (!name.starts_with(kLayers)) return {name};
  const size_t inside = name.find('.', kLayers.size()) + 1, end = name.rfind('.') + 1;
  const std::string index = name.substr(kLayers.size(), inside - kLayers.size());
  const std::string stem = name.substr(inside, end - inside), suffix = name.substr(end);
  for (const auto& line : kInner) {
    if (stem == line.ours) return {c10::str(kTheirLayers, index, line.theirs, suffix), line.part, line.parts};
  }
  return {name};
}

std::string TextKeys::root() const {
  return prefix.ends_with(kTextModel) ? prefix.substr(0, prefix.size() - kTextModel.size()) : prefix;
}

weights::Rename TextKeys::rename() const {
  return [keys = *this](const std::string& name) -> weights::FileName {
    if (keys.spelling == TextSpelling::huggingface) {
      return {(name == kProjection ? keys.root() : keys.prefix) + name};
    }
    weights::FileName target = to_openclip_name(name);
    target.name = keys.prefix + target.name;
    return target;
  };
}

weights::Ignore TextKeys::ignore(int64_t layers) const {
  return [keys = *this, root = root(), layers](const std::string& name) {
    if (!name.starts_with(root)) return true;
    const std::string rest = name.substr(root.size());
    // The scale of CLIP's scores, trained along with both towers; a mask and a list 0, 1, 2, ... that old files save.
    if (rest == "logit_scale" || rest == "attn_mask" || rest.ends_with("embeddings.position_ids")) return true;
    // A whole CLIP has its picture tower beside the text encoder.
    if (rest.starts_with("visual.") || rest.starts_with("vision_model.") || rest == "visual_projection.weight") {
      return true;
    }
    if (keys.unused_layers == 0) return false;
    const bool openclip = keys.spelling == TextSpelling::openclip;
    return is_layer_from(rest, openclip ? kTheirLayers : kLayers, layers, keys.unused_layers) ||
           rest == (openclip ? "text_projection" : kProjection);
  };
}

std::vector<TextKeys> text_towers(const std::vector<weights::TensorInfo>& tensors) {
  std::set<std::string_view> names;
  for (const auto& info : tensors) names.insert(info.name);
  std::vector<TextKeys> towers;
  for (const std::string_view name : names) {
    constexpr std::string_view kEnd = "token_embedding.weight", kFolder = "embeddings.";
    if (!name.ends_with(kEnd)) continue;
    std::string prefix(name.substr(0, name.size() - kEnd.size()));
    if (prefix.ends_with(kFolder)) {
      prefix.resize(prefix.size() - kFolder.size());
      if (names.count(prefix + "embeddings.position_embedding.weight")) {
        towers.push_back({TextSpelling::huggingface, prefix});
      }
    } else if (names.count(prefix + "positional_embedding")) {
      towers.push_back({TextSpelling::openclip, prefix, prefix.ends_with(kSecondGeneration) ? 1 : 0});
    }
  }
  // By name bigG comes first in SD3's files, and it is the second everywhere.
  std::stable_partition(towers.begin(), towers.end(),
                        [](const TextKeys& keys) { return keys.prefix.find("clip_g") == keys.prefix.npos; });
  return towers;
}

}  // namespace keyflow::clip
