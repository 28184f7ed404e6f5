#pragma once
#include <ATen/core/Tensor.h>

#include <filesystem>
#include <memory>

#include "models/clip/vision.h"
#include "models/t5/encoder.h"
#include "models/wan/transformer.h"
#include "train/adamw.h"
#include "weights/plan.h"

namespace keyflow::train {

/// The sizes of the three networks that are trained together.
struct SmallModelConfig {
  t5::EncoderConfig text;
  clip::VisionConfig vision;
  wan::TransformerConfig transformer;
};

/// Reads text_encoder.json, image_encoder.json and transformer.json of a folder such as configs/mini.
/// Throws Error::config when a file is bad or the widths do not fit each other.
SmallModelConfig small_model_config(const std::filesystem::path& folder, int64_t vocabulary);

/// A text encoder, a picture encoder and a denoiser with fresh weights.
class SmallModel {
 public:
  SmallModel(const SmallModelConfig& config, uint64_t seed, const Compute& compute);

  /// What the text and the pictures become, for any number of passes.
  ///
  /// ids       [B, L] int64, padded by 0
  /// pictures  [B, slots, 3, H, W] float32 in [-1, 1]; undefined for none at all
  /// present   [B, slots] float32, 0 where a slot shows nothing
  wan::Context prepare(const at::Tensor& ids, const at::Tensor& pictures, const at::Tensor& present) const;

  /// Velocity of the flow.
  ///
  /// latents   [B, 4 + 2Z, T', h, w]: noisy latents, mask, condition latents
  /// timestep  [B], 0 to 1000
  /// return    [B, Z, T', h, w] float32
  at::Tensor velocity(const at::Tensor& latents, const at::Tensor& timestep, const wan::Context& context) const;

  /// All weights: "text_encoder.NAME", "image_encoder.NAME", "transformer.NAME".
  NamedTensors parameters() const;
  const SmallModelConfig& config() const { return config_; }
  at::Device device() const { return device_; }

 private:
  SmallModelConfig config_;
  at::Device device_;
  std::unique_ptr<weights::InitSource> text_source_, vision_source_, transformer_source_;
  t5::Encoder text_encoder_;
  clip::VisionTower vision_;
  wan::Transformer transformer_;
};

/// Writes text_encoder/, image_encoder/, transformer/, scheduler/, model_index.json and preset.json as a
/// diffusers-style folder: bf16, the names of transformers and diffusers. `weights` are named as
/// SmallModel::parameters() names them.
void save_small_model(const std::filesystem::path& folder, const NamedTensors& weights, const SmallModelConfig& config);

}  // namespace keyflow::train
