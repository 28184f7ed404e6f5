#include "models/registry.h"

#include <nlohmann/json.hpp>

#include "core/json.h"
#include "models/autoencoder_kl/autoencoder.h"
#include "models/clip/keys.h"
#include "models/clip/text_load.h"
#include "models/clip/vision.h"
#include "models/clip/vision_load.h"
#include "models/esrgan/load.h"
#include "models/flux/keys.h"
#include "models/flux/transformer_load.h"
#include "models/flux/variant.h"
#include "models/sd/keys.h"
#include "models/sd/load.h"
#include "models/sd/variant.h"
#include "models/sd3/keys.h"
#include "models/sd3/transformer_load.h"
#include "models/sd3/variant.h"
#include "models/t5/encoder.h"
#include "models/t5/keys.h"
#include "models/taesd/network.h"
#include "models/wan/keys.h"
#include "models/wan/transformer.h"
#include "models/wan/transformer_load.h"
#include "models/wan/vae.h"
#include "models/wan/variant.h"

namespace keyflow::models {
namespace {

namespace fs = std::filesystem;
using weights::Scope;
using weights::TensorFile;

Description wan_transformer(const TensorFile& file, int64_t, const fs::path& path) {
  const wan::TransformerConfig config = wan::transformer_config(file, path);
  const wan::TransformerKeys keys = wan::transformer_keys(file.tensors());
  // How many tokens a picture has stands in the picture encoder; a table of positions is for two pictures.
  constexpr int64_t kPublishedTokens = 257;
  const int64_t tokens = config.image_pos_len > 0 ? config.image_pos_len / 2 : kPublishedTokens;
  return {wan::variant_of(config, config.image_dim > 0 ? tokens : 0).name,
          weights::record([&](const Scope& w) { wan::Transformer(w, config); }), keys.rename(), keys.ignore()};
}

Description wan_vae(const TensorFile& file, int64_t, const fs::path& path) {
  const wan::VaeConfig config =
      path.empty() ? wan::vae_config_from_tensors(file.tensors()) : wan::vae_config_from_json(path);
  const bool published = config.base_dim == wan::VaeConfig{}.base_dim;
  return {published ? "Wan2.1 VAE" : c10::str("Wan VAE of width ", config.base_dim),
          weights::record([&](const Scope& w) { wan::Vae(w, config); }),
          wan::vae_rename(file, config),
          {}};
}

Description t5_encoder(const TensorFile& file, int64_t, const fs::path& path) {
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

Description clip_vision(const TensorFile& file, int64_t, const fs::path& path) {
  const clip::VisionConfig config = clip::vision_config(file, path), published;
  const clip::VisionKeys keys = clip::vision_keys(file.tensors());
  const bool is_huge = config.hidden_size == published.hidden_size && config.patch_size == published.patch_size;
  return {is_huge ? "OpenCLIP ViT-H/14" : c10::str("CLIP ViT of width ", config.hidden_size),
          weights::record([&](const Scope& w) { clip::VisionTower(w, config); }), keys.rename(),
          keys.ignore(config.num_hidden_layers)};
}

int64_t clip_texts(const Tensors& tensors) { return static_cast<int64_t>(clip::text_towers(tensors).size()); }

Description clip_text(const TensorFile& file, int64_t index, const fs::path& path) {
  const clip::TextKeys keys = clip::text_towers(file.tensors()).at(static_cast<size_t>(index));
  const clip::TextConfig config = clip::text_config(file, keys, path);
  const std::string name = config.hidden_size == 768    ? "CLIP ViT-L/14 text"
                           : config.hidden_size == 1024 ? "OpenCLIP ViT-H/14 text"
                           : config.hidden_size == 1280 ? "OpenCLIP ViT-bigG/14 text"
                                                        : c10::str("CLIP text of width ", config.hidden_size);
  return {name, weights::record([&](const Scope& w) { clip::TextModel(w, config); }), keys.rename(),
          keys.ignore(config.num_hidden_layers)};
}

Description sd_unet(const TensorFile& file, int64_t, const fs::path& path) {
  const sd::UNetConfig config = sd::unet_config(file, path);
  const sd::Keys keys = sd::unet_keys(file.tensors());
  return {sd::name_of(sd::variant_of(config)), weights::record([&](const Scope& w) { sd::UNet(w, config); }),
          keys.rename(), keys.ignore()};
}

Description sd_control_net(const TensorFile& file, int64_t, const fs::path& path) {
  const sd::ControlNetConfig config = sd::control_net_config(file, path);
  const sd::Keys keys = sd::control_net_keys(file.tensors());
  return {"ControlNet for " + sd::name_of(sd::variant_of(config.encoder)),
          weights::record([&](const Scope& w) { sd::ControlNet(w, config); }), keys.rename(), keys.ignore()};
}

Description sd3_transformer(const TensorFile& file, int64_t, const fs::path& path) {
  const sd3::TransformerConfig config = sd3::transformer_config(file, path);
  const sd3::TransformerKeys keys = sd3::transformer_keys(file.tensors());
  return {sd3::variant_of(config), weights::record([&](const Scope& w) { sd3::Transformer(w, config); }), keys.rename(),
          keys.ignore()};
}

Description flux_transformer(const TensorFile& file, int64_t, const fs::path& path) {
  const flux::TransformerConfig config = flux::transformer_config(file, path);
  const flux::TransformerKeys keys = flux::transformer_keys(file.tensors());
  return {flux::variant_of(config), weights::record([&](const Scope& w) { flux::Transformer(w, config); }),
          keys.rename(), keys.ignore()};
}

Description kl_vae(const TensorFile& file, int64_t, const fs::path& path) {
  using namespace autoencoder_kl;
  AutoencoderConfig config = autoencoder_config_from_tensors(file.tensors());
  if (!path.empty()) config = autoencoder_config_from_json(read_json(path), printable(path.string(), 400), config);
  const AutoencoderKeys keys = autoencoder_keys(file.tensors());
  return {c10::str("KL autoencoder of ", config.latent_channels, " channels"),
          weights::record([&](const Scope& w) { AutoencoderKl(w, config); }), keys.rename(), keys.ignore()};
}

int64_t tiny_vaes(const Tensors& tensors) {
  return taesd::tiny_keys(tensors, taesd::Half::decoder) || taesd::tiny_keys(tensors, taesd::Half::encoder) ? 1 : 0;
}

/// Both halves may lie in one file; the decoder is the one that a file without config is for.
Description tiny_vae(const TensorFile& file, int64_t, const fs::path& path) {
  if (!path.empty()) taesd::require_known(read_json(path), printable(path.string(), 400));
  const auto decoder = taesd::tiny_keys(file.tensors(), taesd::Half::decoder);
  const taesd::TinyKeys keys = decoder ? *decoder : *taesd::tiny_keys(file.tensors(), taesd::Half::encoder);
  const taesd::TinyConfig config = taesd::tiny_config_from_tensors(file.tensors(), keys);
  return {c10::str("tiny autoencoder of ", config.latent_channels, " channels"), weights::record([&](const Scope& w) {
            if (decoder) {
              taesd::Decoder(w, config);
            } else {
              taesd::Encoder(w, config);
            }
          }),
          keys.rename(), keys.ignore()};
}

Description upscaler(const TensorFile& file, int64_t, const fs::path&) {
  const esrgan::Contents contents = esrgan::contents_of(file);
  return {esrgan::variant_of(contents.config),
          weights::record([&](const Scope& w) { esrgan::Network(w, contents.config); }),
          contents.keys.rename(),
          {}};
}

}  // namespace

const std::vector<NetworkType>& network_types() {
  static const std::vector<NetworkType> list{
      {Part::denoiser,
       "wan",
       "the Wan transformer",
       {"time_projection.1.weight", "condition_embedder.time_proj.weight"},
       {"WanModel", "WanTransformer3DModel"},
       wan_transformer},
      {Part::denoiser,
       "flux",
       "the FLUX transformer",
       {"double_blocks.0.img_attn.qkv.weight", "single_transformer_blocks.0.proj_mlp.weight"},
       {"FluxTransformer2DModel"},
       flux_transformer},
      {Part::denoiser,
       "sd3",
       "the SD3 transformer",
       {"joint_blocks.0.x_block.attn.qkv.weight", "pos_embed.pos_embed"},
       {"SD3Transformer2DModel"},
       sd3_transformer},
      {Part::denoiser,
       "sd",
       "the Stable Diffusion U-Net",
       {"output_blocks.0.0.in_layers.0.weight", "up_blocks.0.resnets.0.time_emb_proj.weight"},
       {"UNet2DConditionModel"},
       sd_unet},
      {Part::control_net,
       "sd",
       "the ControlNet",
       {"input_hint_block.0.weight", "controlnet_cond_embedding.conv_in.weight"},
       {"ControlNetModel"},
       sd_control_net},
      {Part::image_encoder,
       "clip",
       "the CLIP picture encoder",
       {"visual.patch_embedding.weight", "embeddings.class_embedding"},
       {"CLIPVisionModel", "CLIPVisionModelWithProjection", "CLIPModel"},
       clip_vision},
      {Part::text_encoder,
       "clip",
       "the CLIP text encoder",
       {},
       {"CLIPTextModel", "CLIPTextModelWithProjection"},
       clip_text,
       clip_texts},
      {Part::t5_encoder,
       "t5",
       "the T5 text encoder",
       {"blocks.0.ffn.gate.0.weight", "encoder.block.0.layer.1.DenseReluDense.wi_0.weight",
        "enc.blk.0.ffn_gate.weight"},
       {"UMT5EncoderModel", "UMT5Model", "T5EncoderModel", "T5Model"},
       t5_encoder},
      {Part::vae,
       "wan",
       "the Wan VAE",
       {"decoder.middle.1.to_qkv.weight", "decoder.mid_block.attentions.0.to_qkv.weight"},
       {"AutoencoderKLWan"},
       wan_vae},
      {Part::vae,
       "autoencoder_kl",
       "the KL autoencoder",
       {"decoder.conv_norm_out.weight", "decoder.norm_out.weight"},
       {"AutoencoderKL"},
       kl_vae},
      {Part::tiny_vae, "taesd", "the tiny autoencoder", {}, {"AutoencoderTiny"}, tiny_vae, tiny_vaes},
      // The last: the chain of convolutions of an SRVGG network and the layers of ncnn have names that tell little.
      {Part::upscaler,
       "esrgan",
       "the upscaler",
       {"body.0.rdb1.conv1.weight", "RRDB_trunk.0.RDB1.conv1.weight", "model.1.sub.0.RDB1.conv1.0.weight",
        "Convolution.0000.weight", "body.2.weight"},
       {},
       upscaler},
  };
  return list;
}

std::vector<NetworkPlace> networks_in(const Tensors& tensors) {
  std::vector<NetworkPlace> places;
  for (const auto& type : network_types()) {
    // An upscaler's names tell too little to be looked for beside other networks.
    if (type.part == Part::upscaler && !places.empty()) continue;
    for (int64_t index = 0; index < type.count_in(tensors); ++index) places.push_back({&type, index});
  }
  return places;
}

const NetworkType* type_of(const Tensors& tensors) {
  const auto places = networks_in(tensors);
  return places.empty() ? nullptr : places.front().type;
}

int64_t NetworkType::count_in(const Tensors& tensors) const {
  if (count != nullptr) return count(tensors);
  const auto marked = [&](const auto& info) {
    return std::any_of(marks.begin(), marks.end(), [&](const auto mark) { return info.name.ends_with(mark); });
  };
  return std::any_of(tensors.begin(), tensors.end(), marked) ? 1 : 0;
}

bool NetworkType::has_class(std::string_view name) const {
  return std::find(class_names.begin(), class_names.end(), name) != class_names.end();
}

namespace {

struct PartName {
  Part part;
  std::string_view name, field, option;
};
constexpr std::array kPartNames{
    PartName{Part::denoiser, "diffusion model", "transformer", "--diffusion-model"},
    PartName{Part::text_encoder, "text encoder", "text_encoder", "--text-encoder"},
    PartName{Part::text_encoder_2, "second text encoder", "text_encoder_2", "--clip-g"},
    PartName{Part::t5_encoder, "T5 text encoder", "text_encoder_3", "--t5xxl"},
    PartName{Part::vae, "VAE", "vae", "--vae"},
    PartName{Part::tiny_vae, "tiny VAE", "tiny_vae", "--taesd"},
    PartName{Part::image_encoder, "picture encoder", "image_encoder", "--image-encoder"},
    PartName{Part::control_net, "ControlNet", "control_net", "--control-net"},
    PartName{Part::upscaler, "upscaler", "upscale", "--upscale"},
};

const PartName& entry_of(Part part) {
  return *std::find_if(kPartNames.begin(), kPartNames.end(), [&](const auto& entry) { return entry.part == part; });
}

}  // namespace

std::string_view name_of(Part part) { return entry_of(part).name; }
std::string_view field_of(Part part) { return entry_of(part).field; }
std::string_view option_of(Part part) { return entry_of(part).option; }

}  // namespace keyflow::models
