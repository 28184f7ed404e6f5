#include "models/registry.h"

#include <nlohmann/json.hpp>

#include "core/json.h"
#include "models/clip/keys.h"
#include "models/clip/vision.h"
#include "models/clip/vision_load.h"
#include "models/t5/encoder.h"
#include "models/t5/keys.h"
#include "models/wan/keys.h"
#include "models/wan/transformer.h"
#include "models/wan/transformer_load.h"
#include "models/wan/vae.h"
#include "models/wan/variant.h"

namespace keyflow::models {
namespace {

namespace fs = std::filesystem;
using weights::Scope;

Description wan_transformer(const weights::TensorFile& file, const fs::path& path) {
  const wan::TransformerConfig config = wan::transformer_config(file, path);
  const wan::TransformerKeys keys = wan::transformer_keys(file.tensors());
  // How many tokens a picture has stands in the picture encoder; a table of positions is for two pictures.
  constexpr int64_t kPublishedTokens = 257;
  const int64_t tokens = config.image_pos_len > 0 ? config.image_pos_len / 2 : kPublishedTokens;
  return {wan::variant_of(config, config.image_dim > 0 ? tokens : 0).name,
          weights::record([&](const Scope& w) { wan::Transformer(w, config); }), keys.rename(), keys.ignore()};
}

Description wan_vae(const weights::TensorFile& file, const fs::path& path) {
  const wan::VaeConfig config =
      path.empty() ? wan::vae_config_from_tensors(file.tensors()) : wan::vae_config_from_json(path);
  const bool published = config.base_dim == wan::VaeConfig{}.base_dim;
  return {published ? "Wan2.1 VAE" : c10::str("Wan VAE of width ", config.base_dim),
          weights::record([&](const Scope& w) { wan::Vae(w, config); }),
          wan::vae_rename(file, config),
          {}};
}

Description t5_encoder(const weights::TensorFile& file, const fs::path& path) {
  const t5::EncoderConfig config = path.empty()
                                       ? t5::encoder_config_from_tensors(file.tensors())
                                       : t5::encoder_config_from_json(read_json(path), printable(path.string(), 400));
  const t5::EncoderKeys keys = t5::encoder_keys(file.tensors());
  const t5::EncoderConfig published;
  const bool is_xxl = config.d_model == published.d_model && config.num_layers == published.num_layers;
  return {
      c10::str(config.bias_in_every_layer ? "umT5" : "T5", is_xxl ? "-XXL" : c10::str(" of width ", config.d_model)),
      weights::record([&](const Scope& w) { t5::Encoder(w, config); }), keys.rename(), keys.ignore()};
}

Description clip_vision(const weights::TensorFile& file, const fs::path& path) {
  const clip::VisionConfig config = clip::vision_config(file, path), published;
  const clip::VisionKeys keys = clip::vision_keys(file.tensors());
  const bool is_huge = config.hidden_size == published.hidden_size && config.patch_size == published.patch_size;
  return {is_huge ? "OpenCLIP ViT-H/14" : c10::str("CLIP ViT of width ", config.hidden_size),
          weights::record([&](const Scope& w) { clip::VisionTower(w, config); }), keys.rename(),
          keys.ignore(config.num_hidden_layers)};
}

}  // namespace

const std::vector<NetworkType>& network_types() {
  static const std::vector<NetworkType> list{
      {Part::transformer,
       "wan",
       "the Wan transformer",
       {"time_projection.1.weight", "condition_embedder.time_proj.weight"},
       {"WanModel", "WanTransformer3DModel"},
       wan_transformer},
      {Part::image_encoder,
       "clip",
       "the CLIP picture encoder",
       {"visual.patch_embedding.weight", "embeddings.class_embedding"},
       {"CLIPVisionModel", "CLIPVisionModelWithProjection", "CLIPModel"},
       clip_vision},
      {Part::text_encoder,
       "t5",
       "the T5 text encoder",
       {"blocks.0.ffn.gate.0.weight", "encoder.block.0.layer.1.DenseReluDense.wi_0.weight"},
       {"UMT5EncoderModel", "UMT5Model"},
       t5_encoder},
      {Part::vae,
       "wan",
       "the Wan VAE",
       {"decoder.middle.1.to_qkv.weight", "decoder.mid_block.attentions.0.to_qkv.weight"},
       {"AutoencoderKLWan"},
       wan_vae},
  };
  return list;
}

const NetworkType* type_of(const std::vector<weights::TensorInfo>& tensors) {
  for (const auto& type : network_types()) {
    for (const auto& info : tensors) {
      for (const auto mark : type.marks) {
        if (info.name.ends_with(mark)) return &type;
      }
    }
  }
  return nullptr;
}

bool NetworkType::has_class(std::string_view name) const {
  return std::find(class_names.begin(), class_names.end(), name) != class_names.end();
}

std::string_view name_of(Part part) {
  switch (part) {
    case Part::transformer:
      return "transformer";
    case Part::text_encoder:
      return "text encoder";
    case Part::vae:
      return "VAE";
    case Part::image_encoder:
      return "picture encoder";
  }
  return "";
}

std::string_view option_of(Part part) {
  switch (part) {
    case Part::transformer:
      return "--transformer";
    case Part::text_encoder:
      return "--text-encoder";
    case Part::vae:
      return "--vae";
    case Part::image_encoder:
      return "--image-encoder";
  }
  return "";
}

}  // namespace keyflow::models
