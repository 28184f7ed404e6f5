#include "train/dit_batch.h"

#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include "core/shape.h"
#include "models/wan/keyframe_mask.h"

namespace keyflow::train {
namespace {

constexpr double kTextOnly = 0.15;  // of the clip samples

int64_t below(std::mt19937_64& random, int64_t bound) {
  return static_cast<int64_t>(random() % static_cast<uint64_t>(bound));
}
double uniform(std::mt19937_64& random) { return static_cast<double>(random() >> 11) * 0x1p-53; }

/// One wording of a caption, or the empty prompt: the end token alone.
at::Tensor draw_caption(const at::Tensor& wordings, double dropout, std::mt19937_64& random) {
  const at::Tensor ids = wordings[below(random, wordings.size(0))];
  if (uniform(random) >= dropout) return ids;
  at::Tensor empty = at::zeros_like(ids);
  empty[0].fill_(1);
  return empty;
}

std::vector<int64_t> frames_given(const at::Tensor& given) {
  std::vector<int64_t> frames;
  for (int64_t t = 0; t < given.size(0); ++t) {
    if (given[t].item<uint8_t>() != 0) frames.push_back(t);
  }
  return frames;
}

}  // namespace

Batch draw_clips(const Dataset& data, const LatentCache& cache, const DitTraining& options, std::mt19937_64& random) {
  const auto [N, Z, F, H, W] = dims<5>(cache.clips, "latents of clips");
  std::vector<at::Tensor> latents, masks, conditions, ids, pictures, present;
  for (int64_t i = 0; i < options.clip_batch; ++i) {
    const int64_t n = data.training[static_cast<size_t>(below(random, static_cast<int64_t>(data.training.size())))];
    const at::Tensor clip = data.clips[n];  // [T, 3, H, W]
    latents.push_back(cache.clips[n].to(at::kFloat));
    ids.push_back(draw_caption(data.clip_tokens[n], options.text_dropout, random));
    at::Tensor slots = at::zeros({2, clip.size(1), clip.size(2), clip.size(3)}), shown = at::zeros({2});
    if (uniform(random) < kTextOnly) {
      masks.push_back(at::zeros({4, F, H, W}));
      conditions.push_back(at::zeros({Z, F, H, W}));
    } else {
      const int64_t v = below(random, cache.conditions.size(1));
      const std::vector<int64_t> given = frames_given(cache.given[n][v]);
      masks.push_back(wan::keyframe_mask(given, clip.size(0)).view({4, F, 1, 1}).expand({4, F, H, W}));
      conditions.push_back(cache.conditions[n][v].to(at::kFloat));
      // The first slot shows the first frame, the second the latest other given one.
      const bool drop = uniform(random) < options.picture_dropout;
      for (const int64_t t : given) {
        if (drop) break;
        slots[t == 0 ? 0 : 1].copy_(to_float(clip[t]));
        shown[t == 0 ? 0 : 1].fill_(1);
      }
    }
    pictures.push_back(slots);
    present.push_back(shown);
  }
  return {at::stack(latents), at::stack(masks),    at::stack(conditions),
          at::stack(ids),     at::stack(pictures), at::stack(present)};
}

Batch draw_pictures(const Dataset& data, const LatentCache& cache, const DitTraining& options,
                    std::mt19937_64& random) {
  std::vector<at::Tensor> latents, ids;
  for (int64_t i = 0; i < options.picture_batch; ++i) {
    const int64_t m = below(random, cache.pictures.size(0));
    latents.push_back(cache.pictures[m].to(at::kFloat));
    ids.push_back(draw_caption(data.picture_tokens[m], options.text_dropout, random));
  }
  const at::Tensor all = at::stack(latents);  // [B, Z, 1, h, w]
  const auto [B, Z, F, H, W] = dims<5>(all, "latents of pictures");
  return {all, at::zeros({B, 4, F, H, W}), at::zeros_like(all), at::stack(ids), {}, at::zeros({B, 2})};
}

}  // namespace keyflow::train
