#include "train/latent_cache.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <iterator>
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

/// Encodes clips in which all but some frames are grey (0 in [-1, 1]). What begins alike is encoded once: the grey
/// beginning for all clips, a clip's own beginning for all its sets.
class ConditionEncoder {
 public:
  ConditionEncoder(const wan::Vae& vae, const at::Tensor& any_clip, at::Device device)
      : group_(vae.config().temporal_stride()), device_(device) {
    const at::Tensor grey = at::zeros_like(to_float(any_clip));
    grey_ = encode_from({Beginning{{}, wan::Vae::Encoding(vae)}}, 0, grey);
  }

  /// clip [T, 3, H, W] uint8; return [Z, T', h, w] bf16 for each set
  std::vector<at::Tensor> operator()(const at::Tensor& clip, const std::vector<std::vector<int64_t>>& sets) const {
    const at::Tensor frames = to_float(clip);
    std::vector<at::Tensor> results;
    std::map<std::vector<int64_t>, std::vector<Beginning>> known{{{}, grey_}};
    for (const auto& set : sets) {
      at::Tensor masked = at::zeros_like(frames);
      for (const int64_t t : set) masked[t].copy_(frames[t]);
      // The longest beginning that some set before this one had in common with it.
      const std::vector<Beginning>* best = &grey_;
      size_t shared = 0;
      for (const auto& [other, beginnings] : known) {
        const size_t chunks = common_chunks(set, other, beginnings.size() - 1);
        if (chunks < shared) continue;
        best = &beginnings;
        shared = chunks;
      }
      auto beginnings = encode_from(*best, shared, masked);
      results.push_back(at::cat(beginnings.back().latents, 2).squeeze(0).to(at::kCPU, at::kBFloat16));
      known[set] = std::move(beginnings);
    }
    return results;
  }

 private:
  /// The latents of some first chunks, and the encoder as it was after them.
  struct Beginning {
    std::vector<at::Tensor> latents;
    wan::Vae::Encoding encoding;
  };

  int64_t chunk_of(int64_t frame) const { return (frame + group_ - 1) / group_; }

  /// Chunks before the first frame that only one of two sets gives.
  size_t common_chunks(const std::vector<int64_t>& a, const std::vector<int64_t>& b, size_t all) const {
    std::vector<int64_t> differ;
    std::set_symmetric_difference(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(differ));
    return differ.empty() ? all : std::min(all, static_cast<size_t>(chunk_of(differ.front())));
  }

  /// Goes on to the end of the frames after the first `chunks` of a list of beginnings (of no chunk, one, two ...).
  std::vector<Beginning> encode_from(const std::vector<Beginning>& list, size_t chunks,
                                     const at::Tensor& frames) const {
    std::vector<Beginning> result(list.begin(), list.begin() + static_cast<int64_t>(chunks) + 1);
    const int64_t T = frames.size(0), done = static_cast<int64_t>(chunks);
    for (int64_t t = done == 0 ? 0 : 1 + group_ * (done - 1); t < T;) {
      const int64_t count = t == 0 ? 1 : group_;
      Beginning next = result.back();
      const at::Tensor chunk = frames.narrow(0, t, count).transpose(0, 1).unsqueeze(0).to(device_);
      next.latents.push_back(next.encoding.next(chunk));
      result.push_back(std::move(next));
      t += count;
    }
    return result;
  }

  int64_t group_;
  at::Device device_;
  std::vector<Beginning> grey_;
};

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
  const ConditionEncoder encode_conditions(vae, data.clips[0], options.compute.device);
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
    const auto encoded = encode_conditions(data.clips[n], sets);
    for (int64_t v = 0; v < V; ++v) {
      conditions[n][v].copy_(encoded[static_cast<size_t>(v)]);
      for (const int64_t t : sets[static_cast<size_t>(v)]) given[n][v][t].fill_(1);
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
