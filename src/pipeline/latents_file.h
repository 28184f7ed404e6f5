#pragma once
#include <ATen/core/Tensor.h>

#include <filesystem>
#include <string>
#include <vector>

#include "pipeline/render.h"

namespace keyflow::pipeline {

/// Normalised latents on disk: safetensors, one tensor "latents.K" [1, Z, T, H, W] float32 per segment, the settings'
/// JSON in the metadata.
struct LatentsFile {
  std::vector<at::Tensor> segments;
  std::string settings;  ///< metadata_text, "" if the file has none
};
void save_latents(const std::filesystem::path& path, const LatentsFile& latents);

/// Also reads a file with a single tensor of any name and rank 4 or 5 (.safetensors, .pth). Throws Error::weights, and
/// Error::numeric with the index of the first value that is not finite.
LatentsFile load_latents(const std::filesystem::path& path);

/// Pictures (one frame each, in order) or one video to a latents file, through the VAE of settings.model or
/// settings.vae, at settings.width x height (0: as they are, when that fits).
RenderResult encode_media(const RenderSettings& settings, const std::vector<std::filesystem::path>& inputs,
                          const std::filesystem::path& output, Observer& observer);

/// A latents file to a video or pictures.
RenderResult decode_latents(const RenderSettings& settings, const std::filesystem::path& latents,
                            const OutputOptions& output, Observer& observer);

}  // namespace keyflow::pipeline
