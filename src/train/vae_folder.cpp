#include "train/vae_folder.h"

#include <ATen/core/grad_mode.h>

#include <nlohmann/json.hpp>

#include "core/files.h"
#include "weights/tensor_file.h"

namespace keyflow::train {

void save_vae(const std::filesystem::path& folder, const NamedTensors& weights, const wan::VaeConfig& config) {
  std::filesystem::create_directories(folder);
  NamedTensors renamed;
  for (const auto& [name, tensor] : weights) {
    renamed.emplace_back(wan::vae_diffusers_name(name, config).name, tensor.detach().to(at::kBFloat16).contiguous());
  }
  nlohmann::ordered_json json;
  json["_class_name"] = "AutoencoderKLWan";
  json["base_dim"] = config.base_dim;
  json["z_dim"] = config.z_dim;
  json["dim_mult"] = config.dim_mult;
  json["num_res_blocks"] = config.num_res_blocks;
  json["attn_scales"] = nlohmann::json::array();
  json["temperal_downsample"] = config.temperal_downsample;
  json["dropout"] = 0.0;
  json["latents_mean"] = config.latents_mean;
  json["latents_std"] = config.latents_std;
  weights::save_safetensors(folder / "diffusion_pytorch_model.safetensors", renamed);
  write_file(folder / "config.json", json.dump(2) + "\n");
}

void load_vae_weights(const std::filesystem::path& folder, const NamedTensors& weights, const wan::VaeConfig& config) {
  const at::NoGradGuard no_grad;
  const auto file = weights::open_tensors(folder / "diffusion_pytorch_model.safetensors");
  const weights::Rename rename = wan::vae_rename(*file, config);
  const auto plan = weights::record([&](const weights::Scope& w) { wan::Vae(w, config); });
  plan.require_match(*file, "the VAE to be trained", rename);
  for (const auto& [name, tensor] : weights) at::Tensor(tensor).copy_(file->read(rename(name).name));
}

wan::Vae open_vae(const std::filesystem::path& folder, const Compute& compute) {
  const wan::VaeConfig config = wan::vae_config_from_json(folder / "config.json");
  const auto file = weights::open_tensors(folder / "diffusion_pytorch_model.safetensors");
  const weights::Rename rename = wan::vae_rename(*file, config);
  const auto plan = weights::record([&](const weights::Scope& w) { wan::Vae(w, config); });
  plan.require_match(*file, "the VAE of its config.json", rename);
  weights::FileSource source(file, rename, compute.device);
  return wan::Vae(weights::Scope(source, compute), config);
}

}  // namespace keyflow::train
