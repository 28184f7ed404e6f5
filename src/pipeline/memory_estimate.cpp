#include "pipeline/memory_estimate.h"

#include <array>

#include "core/error.h"
#include "models/wan/keyframe_mask.h"

namespace keyflow::pipeline {
namespace {

constexpr std::array<int64_t, 5> kTiles{512, 384, 256, 192, 128};
constexpr double kShare = 0.9;  // of the available bytes: the rest is for the allocator and the writer

double element(at::ScalarType type) { return static_cast<double>(c10::elementSize(type)); }

/// Weights that are converted once, because their kernel's type takes no more room than the file's.
double converted_bytes(const Network& network, at::ScalarType compute) {
  double bytes = 0;
  if (!network.present()) return bytes;
  for (const auto& info : network.file->tensors()) {
    if (info.dtype != compute && element(compute) <= element(info.dtype)) {
      bytes += static_cast<double>(info.numel()) * element(compute);
    }
  }
  return bytes;
}

/// Bytes of the VAE at work for each pixel and unit of base width: feature caches of two frames a convolution, the
/// widest tensors in the type they are computed in, and the convolutions' scratch. Fitted to peaks at 256x256, width
/// 96: decode 300 in fp32 and 230 in bf16, encode 220 and 150.
struct VaeCost {
  double fixed, per_byte;
};
constexpr VaeCost kDecode{190, 35}, kEncode{110, 30};

double vae_bytes(const ModelFiles& model, double pixels, const Compute& compute, const VaeCost& cost) {
  return pixels * static_cast<double>(model.vae_config.base_dim) *
             (cost.fixed + cost.per_byte * element(compute.conv3d)) +
         converted_bytes(model.vae, compute.conv3d);
}

uint64_t rounded(double bytes) { return static_cast<uint64_t>(std::min(bytes, 9e18)); }

std::string readable(uint64_t bytes) {
  const double gib = static_cast<double>(bytes) / (1ull << 30);
  return gib >= 1 ? c10::str(std::round(gib * 10) / 10, " GiB") : c10::str((bytes + (1 << 20) - 1) >> 20, " MiB");
}

}  // namespace

uint64_t MemoryEstimate::largest() const { return std::max({text, image, denoise, decode}); }

MemoryEstimate estimate_memory(const ModelFiles& model, const RenderSettings& settings, const Compute& compute,
                               int64_t longest_segment, int64_t tile) {
  const auto& dit = model.transformer_config;
  const double pixels = static_cast<double>(settings.width) * static_cast<double>(settings.height);
  const double stride = static_cast<double>(model.vae_config.spatial_stride());
  const double latents = static_cast<double>(wan::latent_frame(longest_segment - 1) + 1) * pixels / (stride * stride);
  const double tokens = latents / static_cast<double>(dit.patch_size[1] * dit.patch_size[2]);
  const double wide = static_cast<double>(dit.dim), layers = static_cast<double>(dit.num_layers);
  const double contexts = static_cast<double>(2 * dit.text_len + 600) * wide * 2 * layers * element(compute.attention);
  const double largest_layer = static_cast<double>(dit.ffn_dim) * wide * element(compute.linear);

  MemoryEstimate estimate;
  estimate.denoise = rounded(tokens * wide * 4 * 9 + contexts + largest_layer +
                             latents * static_cast<double>(dit.in_dim + 8 * dit.out_dim) * 4 +
                             converted_bytes(model.transformer, compute.linear));
  const double side = tile > 0 ? static_cast<double>(tile * tile) : pixels;
  const double frames = pixels * 3 * 4 * 8;  // a chunk of decoded frames, in and out of the writer
  estimate.decode = rounded(vae_bytes(model, std::min(side, pixels), compute, kDecode) + frames);
  estimate.image = rounded(vae_bytes(model, std::min(side, pixels), compute, kEncode) + frames);
  estimate.text = rounded(converted_bytes(model.text_encoder, compute.linear) + 512.0 * 1024 * 1024);
  return estimate;
}

int64_t choose_tile(const ModelFiles& model, const RenderSettings& settings, const Compute& compute,
                    int64_t longest_segment, uint64_t available) {
  const auto fits = [&](int64_t tile) {
    const MemoryEstimate estimate = estimate_memory(model, settings, compute, longest_segment, tile);
    return static_cast<double>(std::max(estimate.decode, estimate.image)) < kShare * static_cast<double>(available);
  };
  int64_t tile = 0;
  while (!fits(tile)) {
    const int64_t smaller = next_smaller_tile(tile, settings);
    if (smaller == 0) break;
    tile = smaller;
  }
  return tile;
}

int64_t next_smaller_tile(int64_t tile, const RenderSettings& settings) {
  const int64_t bound = tile > 0 ? tile : std::max(settings.width, settings.height);
  const auto found = std::find_if(kTiles.begin(), kTiles.end(), [&](int64_t candidate) { return candidate < bound; });
  return found == kTiles.end() ? 0 : *found;
}

void require_memory(const MemoryEstimate& estimate, const RenderSettings& settings, uint64_t available) {
  if (static_cast<double>(estimate.largest()) <= static_cast<double>(available)) return;
  constexpr uint64_t beyond_machines = 1ull << 41;
  const ErrorKind kind = estimate.largest() > beyond_machines ? ErrorKind::usage : ErrorKind::device;
  const bool long_video = settings.frames > 1 && estimate.denoise == estimate.largest();
  // Memory grows about in proportion to the frame's area and, while denoising, to the number of latent frames.
  const double scale = std::sqrt(static_cast<double>(available) / static_cast<double>(estimate.largest()));
  const auto side = [&](int64_t pixels) {
    return std::max<int64_t>(static_cast<int64_t>(static_cast<double>(pixels) * scale * 0.9) / 16, 1) * 16;
  };
  fail(kind, settings.width, "x", settings.height, " and ", settings.frames, " frames need about ",
       readable(estimate.largest()), " of memory, available are ", readable(available),
       "; hint: ", side(settings.width), "x", side(settings.height), long_video ? ", or fewer frames" : "");
}

}  // namespace keyflow::pipeline
