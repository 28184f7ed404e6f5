#include "models/sd/conditions.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/silu.h>

#include "core/shape.h"
#include "ops/timestep.h"

namespace keyflow::sd {

using layers::Bias;
using layers::Linear;
using weights::Scope;

namespace {

/// The source's angles are float32.
ops::SinusoidOptions waves_of(const UNetConfig& config) {
  return {config.flip_sin_to_cos, static_cast<double>(config.freq_shift), at::kFloat};
}

}  // namespace

Conditions::Conditions(const Scope& w, const UNetConfig& config)
    : config_(config),
      linear_1(
          Linear::fp32(w / "time_embedding" / "linear_1", config.block_out_channels.front(), config.time_embed_dim())),
      linear_2(Linear::fp32(w / "time_embedding" / "linear_2", config.time_embed_dim(), config.time_embed_dim())) {
  if (config.time_cond_proj_dim > 0) {
    cond_proj.emplace(Linear::fp32(w / "time_embedding" / "cond_proj", config.time_cond_proj_dim,
                                   config.block_out_channels.front(), Bias::no));
  }
  if (config.addition_time_embed_dim > 0) {
    add_embedding.emplace(w / "add_embedding", config.projection_class_embeddings_input_dim, config.time_embed_dim());
  }
}

at::Tensor Conditions::added_vector(int64_t batch, const AddedConditions& added) const {
  require(added.pooled.defined() && added.time_ids.defined(), ErrorKind::shape,
          "added conditions: expected pooled text and time ids, which this U-Net was trained with, found ",
          added.pooled.defined() ? "no time ids" : "no pooled text");
  require_shape(added.pooled, {batch, -1}, "pooled text");
  require_shape(added.time_ids, {batch, -1}, "time ids");
  const int64_t waves = config_.addition_time_embed_dim, expected = config_.projection_class_embeddings_input_dim;
  const int64_t found = added.pooled.size(1) + added.time_ids.size(1) * waves;
  require(found == expected, ErrorKind::shape, "added conditions: expected ", expected, " values, found ", found, ": ",
          added.pooled.size(1), " of pooled text and ", added.time_ids.size(1), " time ids of ", waves,
          "; hint: SDXL takes 6 time ids, its refiner 5");
  const at::Tensor ids = ops::timestep_embedding(added.time_ids.flatten(), waves, waves_of(config_)).view({batch, -1});
  return at::cat({added.pooled.to(at::kFloat), ids}, 1);  // [B, expected]
}

at::Tensor Conditions::operator()(const at::Tensor& timestep, const AddedConditions& added) const {
  const auto [B] = dims<1>(timestep, "timestep");
  at::Tensor waves =
      ops::timestep_embedding(timestep, config_.block_out_channels.front(), waves_of(config_));  // [B, C]
  require(cond_proj.has_value() || !added.guidance.defined(), ErrorKind::shape,
          "guidance: expected none, for this U-Net was not told it in training; hint: leave it to the sampler");
  if (cond_proj) {
    require(added.guidance.defined(), ErrorKind::shape, "guidance: expected the scale to imitate, found none");
    require_shape(added.guidance, {B}, "guidance");
    // source diffusers src/diffusers/pipelines/latent_consistency_models/pipeline_latent_consistency_text2img.py
    //        @58eb52c get_guidance_scale_embedding
    const at::Tensor scale =
        ops::timestep_embedding((added.guidance - 1) * 1000, config_.time_cond_proj_dim, {false, 1, at::kFloat});
    waves = waves + (*cond_proj)(scale);
  }
  at::Tensor time = linear_2(at::silu(linear_1(waves)));  // [B, time_embed_dim]
  if (add_embedding) {
    time = time + (*add_embedding)(added_vector(B, added));
  } else {
    require(!added.pooled.defined() && !added.time_ids.defined(), ErrorKind::shape,
            "added conditions: expected none, for this U-Net was trained without, found pooled text or time ids");
  }
  return at::silu(time);
}

}  // namespace keyflow::sd
