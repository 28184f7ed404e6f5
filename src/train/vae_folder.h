#pragma once
#include <filesystem>

#include "core/compute.h"
#include "models/wan/vae.h"
#include "train/adamw.h"

namespace keyflow::train {

/// Writes vae/config.json and vae/diffusion_pytorch_model.safetensors (bf16, diffusers' names).
void save_vae(const std::filesystem::path& folder, const NamedTensors& weights, const wan::VaeConfig& config);

/// Copies the weights of such a folder into a network's own; throws Error::weights unless every tensor fits.
void load_vae_weights(const std::filesystem::path& folder, const NamedTensors& weights, const wan::VaeConfig& config);

/// Reads such a folder; throws Error::weights unless every tensor fits.
wan::Vae open_vae(const std::filesystem::path& folder, const Compute& compute);

}  // namespace keyflow::train
