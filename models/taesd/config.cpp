#include "models/taesd/config.h"

#include <map>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/fields.h"
#include "core/shape.h"

namespace keyflow::taesd {

void TinyConfig::validate() const {
  const auto in_range = [](const char* name, int64_t value, int64_t most) {
    require(value >= 1 && value <= most, ErrorKind::config, "tiny autoencoder: ", name, ": expected 1 to ", most,
            ", found ", value);
  };
  in_range("picture channels", picture_channels, 1 << 10);
  in_range("latent channels", latent_channels, 1 << 10);
  in_range("width", width, 1 << 16);
  in_range("levels", static_cast<int64_t>(blocks.size()), 8);
  for (const int64_t count : blocks) in_range("blocks of a level", count, 100);
}

TinyConfig tiny_config_from_tensors(const std::vector<weights::TensorInfo>& tensors, const TinyKeys& keys) {
  const weights::Rename rename = keys.rename();
  std::map<std::string, const weights::TensorInfo*> present;
  for (const auto& info : tensors) present[info.name] = &info;
  const auto find = [&](int64_t index, const char* name) {
    const auto found = present.find(rename(c10::str(index, name)).name);
    return found == present.end() ? nullptr : found->second;
  };
  const bool decoder = keys.half == Half::decoder;
  const int64_t first = decoder ? 1 : 0;
  TinyConfig config;
  config.blocks.clear();
  const weights::TensorInfo *in = nullptr, *out = nullptr;
  // An activation and an upsampling stand between two layers with weights at most.
  for (int64_t index = first, gap = 0; gap < 3; ++index) {
    const auto* convolution = find(index, ".weight");
    if (convolution) {
      if (!in) in = convolution;
      out = convolution;
      config.blocks.push_back(0);
    } else if (find(index, ".conv.0.weight")) {
      require(in, ErrorKind::weights, "tiny autoencoder: expected a convolution before the blocks, found none");
      ++config.blocks.back();
      config.pooled = config.pooled || find(index, ".pool.0.weight");
    } else {
      ++gap;
      continue;
    }
    gap = 0;
  }
  require(in && in->shape.size() == 4 && out->shape.size() == 4 && config.blocks.size() > 1, ErrorKind::weights,
          "tiny autoencoder: expected the convolutions of its ", name_of(keys.half), ", found ",
          in ? shape_text(in->shape) : "none");
  config.blocks.pop_back();  // the last convolution begins no level
  config.width = in->shape[0];
  config.latent_channels = decoder ? in->shape[1] : out->shape[0];
  config.picture_channels = decoder ? out->shape[0] : in->shape[1];
  config.validate();
  return config;
}

void require_known(const nlohmann::json& json, const std::string& where) {
  JsonFields fields(json, where);
  fields.expect("_class_name", {"AutoencoderTiny"});
  fields.expect("act_fn", {"relu"});
  fields.expect("upsample_fn", {"nearest"});
  fields.expect("upsampling_scaling_factor", {2});
  fields.expect("scaling_factor", {1.0});
  fields.expect("shift_factor", {0.0});
  // The tensors show the sizes; magnitude and shift are for latents stored as bytes.
  for (const char* key :
       {"in_channels", "out_channels", "latent_channels", "block_out_channels", "encoder_block_out_channels",
        "decoder_block_out_channels", "num_encoder_blocks", "num_decoder_blocks", "latent_magnitude", "latent_shift",
        "force_upcast", "_diffusers_version", "_name_or_path"}) {
    fields.skip(key);
  }
  fields.finish();
}

}  // namespace keyflow::taesd
