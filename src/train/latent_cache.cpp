#include "train/latent_cache.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <random>

#include "core/error.h"
#include "core/interrupt.h"
#include "core/shape.h"
#include "train/dataset.h"
#include "train/vae_folder.h"
#include "weights/tensor_file.h"

namespace keyflow::train {
namespace {

/// [T, 3, H, W] uint8 -> [Z, T', h, w] bf16
at::Tensor encode(const wan::Vae& vae, const at::Tensor& frames, at::Device device) {
  const at::Tensor video = to_float(frames).transpose(0, 1).unsqueeze(0).to(device);  // [1, 3, T, H, W]
  return vae.encode(video).squeeze(0).to(at::kCPU, at::kBFloat16);
}

/// The clip with every frame grey but the given ones; grey is 0 in [-1, 1].
at::Tensor encode_condition(const wan::Vae& vae, const at::Tensor& clip, const std::vector<int64_t>& given,
                            at::Device device) {
  const at::Tensor frames = to_float(clip);  // [T, 3, H, W]
  at::Tensor masked = at::zeros_like(frames);
  for (const int64_t t : given) masked[t].copy_(frames[t]);
  return vae.encode(masked.transpose(0, 1).unsqueeze(0).to(device)).squeeze(0).to(at::kCPU, at::kBFloat16);
}

}  // namespace

std::vector<std::vector<int64_t>> condition_sets(int64_t clip, int64_t frames, int64_t free_sets, uint64_t seed) {
  std::vector<std::vector<int64_t>> sets{{0}, {frames - 1}, {0, frames - 1}};
  std::mt19937_64 random(seed * 1000003 + static_cast<uint64_t>(clip));
  for (int64_t i = 0; i < free_sets; ++i) {
    // At most one frame falls into each latent frame: pixel frame t > 0 belongs to latent frame (t + 3) / 4.
    std::map<int64_t, int64_t> chosen;
    const uint64_t count = 1 + random() % 3;
    for (uint64_t k = 0; k < count; ++k) {
      const auto t = static_cast<int64_t>(random() % static_cast<uint64_t>(frames));
      chosen.emplace((t + 3) / 4, t);
    }
    std::vector<int64_t> set;
    for (const auto& [latent, t] : chosen) set.push_back(t);
    sets.push_back(set);
  }
  return sets;
}

void cache_latents(const LatentCaching& options, const std::function<void(int64_t, int64_t)>& progress) {
  const at::NoGradGuard no_grad;
  const Dataset data = open_dataset(options.data);
  const wan::Vae vae = open_vae(options.vae, options.compute);
  const int64_t N = data.clips.size(0), M = data.pictures.size(0), T = data.frames(), V = 3 + options.free_sets;
  at::Tensor clips, conditions, pictures, given = at::zeros({N, V, T}, at::kByte);
  for (int64_t n = 0; n < N; ++n) {
    throw_if_interrupted();
    const at::Tensor latents = encode(vae, data.clips[n], options.compute.device);  // [Z, T', h, w]
    if (n == 0) {
      const auto [Z, F, H, W] = dims<4>(latents, "latents");
      clips = at::empty({N, Z, F, H, W}, at::kBFloat16);
      conditions = at::empty({N, V, Z, F, H, W}, at::kBFloat16);
      pictures = at::empty({M, Z, 1, H, W}, at::kBFloat16);
    }
    clips[n].copy_(latents);
    const auto sets = condition_sets(n, T, options.free_sets, options.seed);
    for (int64_t v = 0; v < V; ++v) {
      const auto& set = sets[static_cast<size_t>(v)];
      conditions[n][v].copy_(encode_condition(vae, data.clips[n], set, options.compute.device));
      for (const int64_t t : set) given[n][v][t].fill_(1);
    }
    progress(n + 1, N);
  }
  for (int64_t m = 0; m < M; ++m) {
    throw_if_interrupted();
    pictures[m].copy_(encode(vae, data.pictures[m].unsqueeze(0), options.compute.device));
  }
  weights::save_safetensors(options.output,
                            {{"clips", clips}, {"pictures", pictures}, {"conditions", conditions}, {"given", given}});
}

LatentCache open_latent_cache(const std::filesystem::path& path) {
  const auto file = weights::open_tensors(path);
  const auto read = [&](const char* name, at::ScalarType type, size_t rank) {
    const auto* info = file->find(name);
    require(info && info->dtype == type && info->shape.size() == rank, ErrorKind::weights,
            printable(path.string(), 400), ": ", name, ": expected ", rank, " dimensions of ", dtype_name(type),
            ", found ", info ? shape_text(info->shape) : "no such tensor",
            "; hint: `keyflow train latents` makes this file");
    return file->read(name);
  };
  return {read("clips", at::kBFloat16, 5), read("pictures", at::kBFloat16, 5), read("conditions", at::kBFloat16, 6),
          read("given", at::kByte, 3)};
}

}  // namespace keyflow::train
