#include "pipeline/denoise.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>

#include "pipeline/finite.h"
#include "schedulers/flow_schedule.h"
#include "schedulers/guidance.h"
#include "schedulers/prediction.h"

namespace keyflow::pipeline {
namespace {

using schedulers::FlowKind;

FlowKind flow_kind(const RenderSettings& settings) {
  const FlowKind official = schedulers::find_sampler(settings.sampler).flow_kind;
  if (settings.conventions == "official") return official;
  if (official == FlowKind::wan_unipc) return FlowKind::diffusers_unipc;
  return official == FlowKind::wan_dpm ? FlowKind::diffusers_dpm : official;
}

}  // namespace

schedulers::Schedule schedule_of(const RenderSettings& settings) {
  schedulers::FlowScheduleOptions options;
  options.steps = settings.steps;
  options.shift = settings.shift;
  return schedulers::flow_schedule(flow_kind(settings), options);
}

bool is_guided(const RenderSettings& settings) {
  return settings.conventions == "diffusers" ? settings.guidance_scale > 1 : settings.guidance_scale != 1;
}

at::Tensor denoise(const wan::Transformer& transformer, const Conditioning& conditioning, const at::Tensor& noise,
                   const RenderSettings& settings, const schedulers::SamplerOptions& options, FailedStep& failed) {
  const schedulers::Schedule schedule = schedule_of(settings);
  wan::Context prompt;
  std::optional<wan::Context> negative;
  try {
    prompt = transformer.prepare(conditioning.text, conditioning.pictures);
    if (conditioning.negative.defined()) negative = transformer.with_text(prompt, conditioning.negative);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::numeric) throw;
    failed = {0, "text and picture embedding"};
    throw NotFinite("denoise");
  }

  const auto velocity = [&](const at::Tensor& input, const at::Tensor& time, const wan::Context& context,
                            int64_t step) {
    at::Tensor v = transformer(input, time, context);
    if (!all_finite(v)) {
      failed = {step, transformer.first_non_finite(input, time, context)};
      throw NotFinite("denoise");
    }
    return v;
  };
  const auto denoiser = [&](const at::Tensor& x, int64_t step) {
    const at::Tensor time = at::full({1}, schedule.timesteps[static_cast<size_t>(step)], at::kFloat);
    const at::Tensor input = conditioning.keyframes.defined() ? at::cat({x, conditioning.keyframes}, 1) : x;
    at::Tensor v = velocity(input, time, prompt, step);  // [1, Z, T, H, W]
    if (negative) v = schedulers::guided(v, velocity(input, time, *negative, step), settings.guidance_scale);
    return schedulers::to_denoised(schedulers::Prediction::flow, v, x, schedule, step);
  };
  return schedulers::find_sampler(settings.sampler).run(denoiser, noise, schedule, options);
}

}  // namespace keyflow::pipeline
