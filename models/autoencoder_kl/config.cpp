#include "models/autoencoder_kl/config.h"

#include <map>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/fields.h"
#include "core/shape.h"

namespace keyflow::autoencoder_kl {

using nlohmann::json;

namespace {

struct Published {
  LatentSpace space;
  std::string_view name;
  int64_t channels;
  double scaling, shift;
};

/// source vae/config.json of runwayml/stable-diffusion-v1-5, stabilityai/stable-diffusion-xl-base-1.0,
/// stabilityai/stable-diffusion-3-medium-diffusers, black-forest-labs/FLUX.1-dev
constexpr std::array kPublished{
    Published{LatentSpace::sd, "SD 1.x/2.x", 4, 0.18215, 0},
    Published{LatentSpace::sdxl, "SDXL", 4, 0.13025, 0},
    Published{LatentSpace::sd3, "SD 3.x", 16, 1.5305, 0.0609},
    Published{LatentSpace::flux, "FLUX.1", 16, 0.3611, 0.1159},
};

const Published& published(LatentSpace space) { return kPublished[static_cast<size_t>(space)]; }

std::vector<std::string> repeated(const char* name, size_t count) { return std::vector<std::string>(count, name); }

}  // namespace

std::string_view name_of(LatentSpace space) { return published(space).name; }

void AutoencoderConfig::validate() const {
  const auto in_range = [](const char* name, int64_t value, int64_t most) {
    require(value >= 1 && value <= most, ErrorKind::config, "autoencoder: ", name, ": expected 1 to ", most, ", found ",
            value);
  };
  in_range("in_channels", in_channels, 1 << 10);
  in_range("out_channels", out_channels, 1 << 10);
  in_range("latent_channels", latent_channels, 1 << 10);
  in_range("layers_per_block", layers_per_block, 1000);
  in_range("norm_num_groups", norm_num_groups, 1 << 16);
  in_range("levels in block_out_channels", static_cast<int64_t>(block_out_channels.size()), 8);
  for (const int64_t channels : block_out_channels) {
    in_range("block_out_channels", channels, 1 << 16);
    require(channels % norm_num_groups == 0, ErrorKind::config, "autoencoder: block_out_channels: ", channels,
            " is not a multiple of norm_num_groups ", norm_num_groups);
  }
  require(scaling_factor > 0 && std::isfinite(scaling_factor), ErrorKind::config,
          "autoencoder: scaling_factor: expected a positive number, found ", scaling_factor);
  require(std::isfinite(shift_factor), ErrorKind::config, "autoencoder: shift_factor: expected a number, found ",
          shift_factor);
}

AutoencoderConfig in_latent_space(AutoencoderConfig config, LatentSpace space) {
  const Published& known = published(space);
  require(config.latent_channels == known.channels, ErrorKind::weights, "autoencoder: expected ", known.channels,
          " latent channels as ", known.name, " has them, found ", config.latent_channels,
          "; hint: this autoencoder belongs to another model");
  config.scaling_factor = known.scaling;
  config.shift_factor = known.shift;
  return config;
}

AutoencoderConfig autoencoder_config_from_json(const json& object, const std::string& where,
                                               const AutoencoderConfig& base) {
  AutoencoderConfig config = base;
  JsonFields fields(object, where);
  const auto flag = [&](const char* key, bool& value) {
    fields.expect(key, {true, false});
    if (const auto found = object.find(key); found != object.end() && found->is_boolean()) value = found->get<bool>();
  };
  fields.read("in_channels", config.in_channels);
  fields.read("out_channels", config.out_channels);
  fields.read("latent_channels", config.latent_channels);
  fields.read("block_out_channels", config.block_out_channels);
  fields.read("layers_per_block", config.layers_per_block);
  fields.read("norm_num_groups", config.norm_num_groups);
  fields.read("scaling_factor", config.scaling_factor);
  if (const auto shift = object.find("shift_factor"); shift != object.end() && shift->is_null()) {
    fields.skip("shift_factor");
    config.shift_factor = 0;
  } else {
    fields.read("shift_factor", config.shift_factor);
  }
  flag("use_quant_conv", config.use_quant_conv);
  flag("use_post_quant_conv", config.use_post_quant_conv);
  flag("mid_block_add_attention", config.mid_block_add_attention);
  flag("force_upcast", config.force_upcast);
  const size_t levels = config.block_out_channels.size();
  fields.expect("_class_name", {"AutoencoderKL"});
  fields.expect("act_fn", {"silu"});
  fields.expect("down_block_types", json::array({repeated("DownEncoderBlock2D", levels)}));
  fields.expect("up_block_types", json::array({repeated("UpDecoderBlock2D", levels)}));
  fields.expect("latents_mean", json::array({nullptr}));
  fields.expect("latents_std", json::array({nullptr}));
  // The size of the training pictures, and what diffusers notes about itself.
  for (const char* key : {"sample_size", "_diffusers_version", "_name_or_path"}) fields.skip(key);
  fields.finish();
  config.validate();
  return config;
}

AutoencoderConfig autoencoder_config_from_tensors(const std::vector<weights::TensorInfo>& tensors) {
  const AutoencoderKeys keys = autoencoder_keys(tensors);
  const weights::Rename rename = keys.rename();
  std::map<std::string, const weights::TensorInfo*> present;
  for (const auto& info : tensors) present[info.name] = &info;
  const auto find = [&](const std::string& name) {
    const auto found = present.find(rename(name).name);
    return found == present.end() ? nullptr : found->second;
  };
  const auto kernel = [&](const std::string& name) -> const std::vector<int64_t>& {
    const auto* found = find(name);
    require(found && found->shape.size() == 4, ErrorKind::weights, "autoencoder: expected a convolution ",
            printable(rename(name).name), ", found ", found ? shape_text(found->shape) : "none");
    return found->shape;
  };
  AutoencoderConfig config;
  config.in_channels = kernel("encoder.conv_in.weight")[1];
  config.out_channels = kernel("decoder.conv_out.weight")[0];
  config.latent_channels = kernel("decoder.conv_in.weight")[1];
  config.block_out_channels.clear();
  for (int64_t level = 0; level < keys.levels; ++level) {
    config.block_out_channels.push_back(kernel(c10::str("encoder.down_blocks.", level, ".resnets.0.conv1.weight"))[0]);
  }
  config.layers_per_block = 0;
  while (find(c10::str("encoder.down_blocks.0.resnets.", config.layers_per_block, ".conv1.weight"))) {
    ++config.layers_per_block;
  }
  config.use_quant_conv = find("quant_conv.weight") != nullptr;
  config.use_post_quant_conv = find("post_quant_conv.weight") != nullptr;
  config.mid_block_add_attention = find("encoder.mid_block.attentions.0.to_q.weight") != nullptr;
  return config;
}

json to_json(const AutoencoderConfig& config) {
  const size_t levels = config.block_out_channels.size();
  return {{"_class_name", "AutoencoderKL"},
          {"act_fn", "silu"},
          {"down_block_types", repeated("DownEncoderBlock2D", levels)},
          {"up_block_types", repeated("UpDecoderBlock2D", levels)},
          {"in_channels", config.in_channels},
          {"out_channels", config.out_channels},
          {"latent_channels", config.latent_channels},
          {"block_out_channels", config.block_out_channels},
          {"layers_per_block", config.layers_per_block},
          {"norm_num_groups", config.norm_num_groups},
          {"scaling_factor", config.scaling_factor},
          {"shift_factor", config.shift_factor},
          {"use_quant_conv", config.use_quant_conv},
          {"use_post_quant_conv", config.use_post_quant_conv},
          {"mid_block_add_attention", config.mid_block_add_attention},
          {"force_upcast", config.force_upcast}};
}

}  // namespace keyflow::autoencoder_kl
