#include "pipeline/part_kind.h"

#include <array>

namespace keyflow::pipeline {
namespace {

/// Ends of names that only this kind of network has, one for each spelling. Ends, because repacks add prefixes.
struct Mark {
  PartKind kind;
  std::vector<std::string_view> ends;
};

const std::vector<Mark>& marks() {
  static const std::vector<Mark> list{
      {PartKind::transformer, {"time_projection.1.weight", "condition_embedder.time_proj.weight"}},
      {PartKind::image_encoder, {"visual.patch_embedding.weight", "embeddings.class_embedding"}},
      {PartKind::text_encoder, {"blocks.0.ffn.gate.0.weight", "encoder.block.0.layer.1.DenseReluDense.wi_0.weight"}},
      {PartKind::vae, {"decoder.middle.1.to_qkv.weight", "decoder.mid_block.attentions.0.to_qkv.weight"}},
  };
  return list;
}

}  // namespace

PartKind kind_of(const std::vector<weights::TensorInfo>& tensors) {
  for (const auto& mark : marks()) {
    for (const auto& info : tensors) {
      for (const auto end : mark.ends) {
        if (info.name.ends_with(end)) return mark.kind;
      }
    }
  }
  return PartKind::other;
}

std::string_view name_of(PartKind kind) {
  switch (kind) {
    case PartKind::transformer:
      return "transformer";
    case PartKind::text_encoder:
      return "text encoder";
    case PartKind::vae:
      return "VAE";
    case PartKind::image_encoder:
      return "picture encoder";
    case PartKind::other:
      return "unknown network";
  }
  return "";
}

std::string_view option_of(PartKind kind) {
  switch (kind) {
    case PartKind::transformer:
      return "--transformer";
    case PartKind::text_encoder:
      return "--text-encoder";
    case PartKind::vae:
      return "--vae";
    case PartKind::image_encoder:
      return "--image-encoder";
    case PartKind::other:
      return "--model";
  }
  return "";
}

bool is_config_of(PartKind kind, std::string_view class_name) {
  switch (kind) {
    case PartKind::transformer:
      return class_name == "WanModel" || class_name == "WanTransformer3DModel";
    case PartKind::text_encoder:
      return class_name == "UMT5EncoderModel" || class_name == "UMT5Model";
    case PartKind::vae:
      return class_name == "AutoencoderKLWan";
    case PartKind::image_encoder:
      return class_name == "CLIPVisionModel" || class_name == "CLIPVisionModelWithProjection" ||
             class_name == "CLIPModel";
    case PartKind::other:
      return false;
  }
  return false;
}

}  // namespace keyflow::pipeline
