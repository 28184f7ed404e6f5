#include "pipeline/families/wan_memory.h"

#include "models/wan/keyframe_mask.h"

namespace keyflow::pipeline {

using models::Part;
namespace {

double element(at::ScalarType type) { return static_cast<double>(c10::elementSize(type)); }
uint64_t rounded(double bytes) { return static_cast<uint64_t>(std::min(bytes, 9e18)); }

/// Bytes of the VAE at work for each pixel and unit of base width: feature caches of two frames a convolution, the
/// widest tensors in the type they are computed in, and the convolutions' scratch. Fitted to peaks at 256x256, width
/// 96: decode 300 in fp32 and 230 in bf16, encode 220 and 150.
struct VaeCost {
  double fixed, per_byte;
};
constexpr VaeCost kDecode{190, 35}, kEncode{110, 30};

}  // namespace

MemoryEstimate estimate_wan_memory(const wan::TransformerConfig& dit, const wan::VaeConfig& vae,
                                   const std::map<Part, Network>& networks, const RenderSettings& settings,
                                   const Compute& compute, int64_t longest_segment, int64_t tile) {
  const auto converted = [&](Part part, at::ScalarType type) {
    const auto found = networks.find(part);
    return found == networks.end() ? 0 : converted_bytes(found->second, type);
  };
  const double pixels = static_cast<double>(settings.width) * static_cast<double>(settings.height);
  const double stride = static_cast<double>(vae.spatial_stride());
  const double latents = static_cast<double>(wan::latent_frame(longest_segment - 1) + 1) * pixels / (stride * stride);
  const double tokens = latents / static_cast<double>(dit.patch_size[1] * dit.patch_size[2]);
  const double wide = static_cast<double>(dit.dim), layers = static_cast<double>(dit.num_layers);
  const double contexts = static_cast<double>(2 * dit.text_len + 600) * wide * 2 * layers * element(compute.attention);
  const double largest_layer = static_cast<double>(dit.ffn_dim) * wide * element(compute.linear);
  const auto vae_bytes = [&](double area, const VaeCost& cost) {
    return area * static_cast<double>(vae.base_dim) * (cost.fixed + cost.per_byte * element(compute.conv3d)) +
           converted(Part::vae, compute.conv3d);
  };

  MemoryEstimate estimate;
  estimate.denoise = rounded(tokens * wide * 4 * 9 + contexts + largest_layer +
                             latents * static_cast<double>(dit.in_dim + 8 * dit.out_dim) * 4 +
                             converted(Part::denoiser, compute.linear));
  const double side = tile > 0 ? static_cast<double>(tile * tile) : pixels;
  const double frames = pixels * 3 * 4 * 8;  // a chunk of decoded frames, in and out of the writer
  estimate.decode = rounded(vae_bytes(std::min(side, pixels), kDecode) + frames);
  estimate.image = rounded(vae_bytes(std::min(side, pixels), kEncode) + frames);
  estimate.text = rounded(converted(Part::t5_encoder, compute.linear) + 512.0 * 1024 * 1024);
  return estimate;
}

}  // namespace keyflow::pipeline
