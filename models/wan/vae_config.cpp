#include "models/wan/vae_config.h"

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/json.h"

namespace keyflow::wan {
namespace {

/// Keys of diffusers' config that change nothing here, each with its reason.
const std::map<std::string, std::string>& ignored_keys() {
  static const std::map<std::string, std::string> keys{{"_class_name", "names the class that wrote it"},
                                                       {"_diffusers_version", "names the version that wrote it"},
                                                       {"_name_or_path", "says where it was downloaded"},
                                                       {"attn_scales", "checked to be empty"},
                                                       {"dropout", "training only"},
                                                       {"is_residual", "checked to be false"},
                                                       {"in_channels", "checked to be 3"},
                                                       {"out_channels", "checked to be 3"},
                                                       {"patch_size", "checked to be null"},
                                                       {"decoder_base_dim", "checked to equal base_dim"},
                                                       {"scale_factor_temporal", "follows from temperal_downsample"},
                                                       {"scale_factor_spatial", "follows from dim_mult"},
                                                       {"clip_output", "the decoder always clamps"}};
  return keys;
}

template <class Value>
void read(const nlohmann::json& json, const std::string& where, const char* key, Value& value) {
  const auto found = json.find(key);
  if (found == json.end()) return;
  try {
    value = found->get<Value>();
  } catch (const nlohmann::json::exception&) {
    fail(ErrorKind::config, where, ": ", key, ": wrong type, found ", printable(found->dump()));
  }
}

}  // namespace

int64_t VaeConfig::temporal_stride() const {
  return int64_t{1} << std::count(temperal_downsample.begin(), temperal_downsample.end(), true);
}

void VaeConfig::validate() const {
  const auto in_range = [](const char* name, int64_t value, int64_t most) {
    require(value >= 1 && value <= most, ErrorKind::config, "vae: ", name, ": expected 1 to ", most, ", found ", value);
  };
  in_range("base_dim", base_dim, 4096);
  in_range("z_dim", z_dim, 1024);
  in_range("num_res_blocks", num_res_blocks, 16);
  in_range("levels of dim_mult", static_cast<int64_t>(dim_mult.size()), 6);
  for (const auto factor : dim_mult) in_range("dim_mult", factor, 64);
  require(temperal_downsample.size() + 1 == dim_mult.size(), ErrorKind::config, "vae: temperal_downsample: expected ",
          dim_mult.size() - 1, " values (one fewer than dim_mult), found ", temperal_downsample.size());
  const auto channels = static_cast<size_t>(z_dim);
  require(latents_mean.size() == channels && latents_std.size() == channels, ErrorKind::config,
          "vae: latents_mean and latents_std: expected ", z_dim, " values each (z_dim), found ", latents_mean.size(),
          " and ", latents_std.size());
  for (const double value : latents_std) {
    require(value > 0, ErrorKind::config, "vae: latents_std: expected positive values, found ", value);
  }
}

VaeConfig vae_config_from_json(const std::filesystem::path& path) {
  const nlohmann::json json = read_json(path);
  const std::string where = printable(path.string(), 400);
  require(json.is_object(), ErrorKind::config, where, ": expected an object, found ", json.type_name());
  VaeConfig config;
  const std::vector<std::string> fields{
      "base_dim", "z_dim", "dim_mult", "num_res_blocks", "temperal_downsample", "latents_mean", "latents_std"};
  for (const auto& [key, value] : json.items()) {
    if (ignored_keys().count(key) || std::find(fields.begin(), fields.end(), key) != fields.end()) continue;
    const std::string guess = nearest(key, fields);
    fail(ErrorKind::config, where, ": unknown key \"", printable(key), "\"",
         guess.empty() ? "" : "; hint: did you mean " + guess + "?");
  }
  read(json, where, "base_dim", config.base_dim);
  read(json, where, "z_dim", config.z_dim);
  read(json, where, "dim_mult", config.dim_mult);
  read(json, where, "num_res_blocks", config.num_res_blocks);
  read(json, where, "temperal_downsample", config.temperal_downsample);
  read(json, where, "latents_mean", config.latents_mean);
  read(json, where, "latents_std", config.latents_std);
  const auto expect = [&](const char* key, const nlohmann::json& wanted) {
    const auto found = json.find(key);
    if (found == json.end() || found->is_null() || *found == wanted) return;
    fail(ErrorKind::unsupported, where, ": ", key, ": expected ", wanted.dump(), " (Wan 2.1), found ",
         printable(found->dump()), "; hint: the Wan 2.2 VAE (48 channels) is another network");
  };
  expect("is_residual", false);
  expect("in_channels", 3);
  expect("out_channels", 3);
  expect("patch_size", nullptr);
  expect("attn_scales", nlohmann::json::array());
  expect("decoder_base_dim", config.base_dim);
  config.validate();
  return config;
}

VaeConfig vae_config_from_tensors(const std::vector<weights::TensorInfo>& tensors) {
  VaeConfig config;
  for (const auto& info : tensors) {
    if (info.shape.size() != 5) continue;
    if (info.name == "encoder.conv1.weight" || info.name == "encoder.conv_in.weight") config.base_dim = info.shape[0];
    if (info.name == "conv2.weight" || info.name == "post_quant_conv.weight") config.z_dim = info.shape[0];
  }
  require(config.z_dim == 16, ErrorKind::weights, "vae: expected 16 latent channels, found ", config.z_dim,
          "; hint: the statistics of other VAEs stand in their vae/config.json, name the diffusers folder");
  config.validate();
  return config;
}

}  // namespace keyflow::wan
