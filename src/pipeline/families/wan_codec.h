#pragma once
#include "models/wan/vae.h"
#include "pipeline/codec.h"

namespace keyflow::pipeline {

/// The Wan VAE as a codec; its latents are the mean.
class WanCodec final : public Codec {
 public:
  explicit WanCodec(wan::Vae vae) : vae_(std::move(vae)) {}

  at::Tensor encode(int64_t frames, const FrameSource& source, int64_t tile, const at::Tensor&) const override {
    return vae_.encode(frames, source, wan::Tiling{.tile = tile});
  }
  void decode(const at::Tensor& latents, const FrameSink& sink, int64_t tile) const override {
    vae_.decode(latents, sink, wan::Tiling{.tile = tile});
  }

 private:
  wan::Vae vae_;
};

}  // namespace keyflow::pipeline
