#include "train/samples.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>

#include "core/random.h"
#include "schedulers/guidance.h"
#include "schedulers/prediction.h"
#include "schedulers/sampler.h"
#include "train/dit_batch.h"

namespace keyflow::train {
namespace {

/// [T, 3, H, W] in [-1, 1] -> some of its frames side by side, [3, H, columns · W] uint8
at::Tensor strip(const at::Tensor& frames, int64_t columns) {
  std::vector<at::Tensor> shown;
  const int64_t last = frames.size(0) - 1;
  for (int64_t i = 0; i < columns; ++i) shown.push_back(frames[columns > 1 ? i * last / (columns - 1) : 0]);
  return ((at::cat(shown, 2).clamp(-1, 1) + 1) * 127.5).round().to(at::kCPU, at::kByte);
}

/// Frames of one sample, [T, 3, H, W]; guidance leaves out the text alone, as the pipeline does.
at::Tensor render(const SmallModel& model, const wan::Vae& vae, const Batch& sample, const SampleOptions& options) {
  const at::Device device = sample.latents.device();
  schedulers::FlowScheduleOptions schedule_options;
  schedule_options.steps = options.steps;
  schedule_options.shift = options.shift;
  const auto schedule = schedulers::flow_schedule(schedulers::FlowKind::diffusers_unipc, schedule_options);
  const at::Tensor empty = empty_prompt(sample.ids[0]).unsqueeze(0);
  const wan::Context prompt = model.prepare(sample.ids, sample.pictures, sample.present);
  const wan::Context no_prompt = model.prepare(empty, sample.pictures, sample.present);
  const auto denoise = [&](const at::Tensor& x, int64_t step) {
    const at::Tensor time = at::full({1}, schedule.timesteps[static_cast<size_t>(step)], x.options());
    const at::Tensor input = at::cat({x, sample.mask, sample.condition}, 1);
    const at::Tensor guided = schedulers::guided(model.velocity(input, time, prompt),
                                                 model.velocity(input, time, no_prompt), options.guidance_scale);
    return schedulers::to_denoised(schedulers::Prediction::flow, guided, x, schedule, step);
  };
  const at::Tensor noise = randn(sample.latents.sizes(), options.seed).to(device);
  const at::Tensor latents = schedulers::find_sampler("unipc").run(denoise, noise, schedule, {});
  return vae.decode(latents).squeeze(0).transpose(0, 1);
}

}  // namespace

at::Tensor sample_sheet(const SmallModel& model, const wan::Vae& vae, const Dataset& data, const LatentCache& cache,
                        const SampleOptions& options) {
  const at::NoGradGuard no_grad;
  const auto& pool = data.validation.empty() ? data.training : data.validation;
  const auto count = std::min<int64_t>(options.clips, static_cast<int64_t>(pool.size()));
  std::vector<at::Tensor> rows;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t n = pool[static_cast<size_t>(i * static_cast<int64_t>(pool.size()) / count)];
    rows.push_back(strip(to_float(data.clips[n]), options.columns));
    for (const int64_t condition : {kNoCondition, kFirst, kFirstAndLast}) {
      const Batch sample = clip_sample(data, cache, n, condition, data.clip_tokens[n][0]);
      rows.push_back(strip(render(model, vae, sample.to(model.device()), options), options.columns));
    }
  }
  return at::cat(rows, 1);  // [3, rows · H, columns · W]
}

}  // namespace keyflow::train
