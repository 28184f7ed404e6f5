#include "train/dit_batch.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/stack.h>
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

/// One wording of a caption, or the empty prompt.
at::Tensor draw_caption(const at::Tensor& wordings, double dropout, std::mt19937_64& random) {
  const at::Tensor ids = wordings[below(random, wordings.size(0))];
  return uniform(random) >= dropout ? ids : empty_prompt(ids);
}

std::vector<int64_t> frames_given(const at::Tensor& given) {
  std::vector<int64_t> frames;
  for (int64_t t = 0; t < given.size(0); ++t) {
    if (given[t].item<uint8_t>() != 0) frames.push_back(t);
  }
  return frames;
}

}  // namespace

Batch Batch::to(at::Device device) const {
  const auto moved = [&](const at::Tensor& x) { return x.defined() ? x.to(device) : x; };
  return {moved(latents), moved(mask), moved(condition), moved(ids), moved(pictures), moved(present)};
}

at::Tensor empty_prompt(const at::Tensor& ids) {
  at::Tensor empty = at::zeros_like(ids);
  empty[0].fill_(1);
  return empty;
}

Batch clip_sample(const Dataset& data, const LatentCache& cache, int64_t n, int64_t condition, const at::Tensor& ids,
                  bool pictures) {
  const at::Tensor latents = cache.clips[n].to(at::kFloat), clip = data.clips[n];  // [Z, T', h, w], [T, 3, H, W]
  const auto [Z, F, H, W] = dims<4>(latents, "latents of a clip");
  Batch sample{latents.unsqueeze(0),
               at::zeros({1, 4, F, H, W}),
               at::zeros({1, Z, F, H, W}),
               ids.unsqueeze(0),
               at::zeros({1, 2, clip.size(1), clip.size(2), clip.size(3)}),
               at::zeros({1, 2})};
  if (condition == kNoCondition) return sample;
  const std::vector<int64_t> given = frames_given(cache.given[n][condition]);
  sample.mask.copy_(wan::keyframe_mask(given, clip.size(0)).view({1, 4, F, 1, 1}).expand({1, 4, F, H, W}));
  sample.condition[0].copy_(cache.conditions[n][condition]);
  if (!pictures) return sample;
  // The first slot shows the first frame, the second the latest other given one.
  for (const int64_t t : given) {
    sample.pictures[0][t == 0 ? 0 : 1].copy_(to_float(clip[t]));
    sample.present[0][t == 0 ? 0 : 1].fill_(1);
  }
  return sample;
}

Batch draw_clips(const Dataset& data, const LatentCache& cache, const std::vector<int64_t>& among,
                 const DitTraining& options, std::mt19937_64& random) {
  std::vector<Batch> samples;
  for (int64_t i = 0; i < options.clip_batch; ++i) {
    const int64_t n = among[static_cast<size_t>(below(random, static_cast<int64_t>(among.size())))];
    const at::Tensor ids = draw_caption(data.clip_tokens[n], options.text_dropout, random);
    const bool text_only = uniform(random) < kTextOnly;
    const int64_t condition = text_only ? kNoCondition : below(random, cache.conditions.size(1));
    samples.push_back(clip_sample(data, cache, n, condition, ids, uniform(random) >= options.picture_dropout));
  }
  const auto joined = [&](at::Tensor Batch::*part) {
    std::vector<at::Tensor> parts;
    for (const Batch& sample : samples) parts.push_back(sample.*part);
    return at::cat(parts);
  };
  return {joined(&Batch::latents), joined(&Batch::mask),     joined(&Batch::condition),
          joined(&Batch::ids),     joined(&Batch::pictures), joined(&Batch::present)};
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
