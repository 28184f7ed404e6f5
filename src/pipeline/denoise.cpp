#include "pipeline/denoise.h"

#include <ATen/ops/cat.h>

#include "pipeline/finite.h"
#include "schedulers/guidance.h"

namespace keyflow::pipeline {
namespace {

using schedulers::Schedule;

/// One run: what the sampler asks at each step.
class Guided {
 public:
  Guided(Denoiser& denoiser, const Conditioning& conditioning, const RunSchedule& run, const RenderSettings& settings,
         FailedStep& failed)
      : denoiser_(denoiser), conditioning_(conditioning), run_(run), settings_(settings), failed_(failed) {}

  /// The clean sample behind x.
  at::Tensor operator()(const at::Tensor& x, int64_t step) const {
    const Schedule& schedule = run_.schedule;
    const at::Tensor seen = keep(x, step);
    const StepPlace place{schedule.timestep(step), schedule.step_of(step), schedule.steps()};
    at::Tensor input = seen * schedulers::input_scale(schedule, step);
    if (conditioning_.channels.defined()) input = at::cat({input, conditioning_.channels}, 1);
    at::Tensor output = predict(input, place, Pass::prompt);  // [1, Z, T, h, w]
    const at::Tensor own = output;
    if (conditioning_.negative.tokens.defined()) {
      output = schedulers::guided(own, predict(input, place, Pass::negative), settings_.guidance_scale);
    }
    if (skips_layers(place)) {
      output = output + settings_.skip_layer_scale * (own - predict(input, place, Pass::skipped));
    }
    if (settings_.guidance_rescale > 0) {
      output = schedulers::rescaled_guidance(output, own, settings_.guidance_rescale);
    }
    at::Tensor denoised = schedulers::to_denoised(run_.prediction, output, seen, schedule, step);
    const bool is_consistency =
        schedulers::find_sampler(settings_.sampler).name == "lcm" && run_.prediction != schedulers::Prediction::flow;
    if (is_consistency) denoised = schedulers::consistency(denoised, seen, place.time);
    if (!conditioning_.kept) return denoised;
    const KeptLatents& kept = *conditioning_.kept;
    return kept.latents + kept.mask * (denoised - kept.latents);
  }

 private:
  /// source diffusers 0.42.1 pipelines/stable_diffusion_3/pipeline_stable_diffusion_3.py __call__
  bool skips_layers(const StepPlace& place) const {
    const auto index = static_cast<double>(place.index), count = static_cast<double>(place.count);
    return settings_.skip_layer_scale > 0 && index > count * settings_.skip_layer_start &&
           index < count * settings_.skip_layer_stop;
  }

  /// Outside the mask, the given latents with the noise of this step. The first step sees the start as it is, as in
  /// diffusers, whose pipelines blend after each step.
  at::Tensor keep(const at::Tensor& x, int64_t step) const {
    if (!conditioning_.kept || step == 0) return x;
    const KeptLatents& kept = *conditioning_.kept;
    const at::Tensor given = schedulers::add_noise(kept.latents, kept.noise, run_.schedule, step);
    return given + kept.mask * (x - given);
  }

  at::Tensor predict(const at::Tensor& input, const StepPlace& place, Pass pass) const {
    at::Tensor output = denoiser_(input, place, pass);
    if (!all_finite(output)) {
      failed_ = {place.index, denoiser_.first_non_finite(input, place, pass)};
      throw NotFinite("denoise");
    }
    return output;
  }

  Denoiser& denoiser_;
  const Conditioning& conditioning_;
  const RunSchedule& run_;
  const RenderSettings& settings_;
  FailedStep& failed_;
};

}  // namespace

bool is_guided(const RenderSettings& settings) {
  // 0 switches guidance off as 1 does (SDXL-turbo's usual value); what lies between is Wan's to interpolate.
  const double scale = settings.guidance_scale;
  return scale > 1 || (settings.conventions == "official" && scale > 0 && scale < 1);
}

at::Tensor denoise(Denoiser& denoiser, const Conditioning& conditioning, const RunSchedule& run,
                   const at::Tensor& start, const RenderSettings& settings, const schedulers::SamplerOptions& options,
                   FailedStep& failed) {
  try {
    denoiser.prepare(conditioning);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::numeric) throw;
    failed = {0, "text and picture embedding"};
    throw NotFinite("denoise");
  }
  const at::Tensor x = schedulers::find_sampler(settings.sampler)
                           .run(Guided(denoiser, conditioning, run, settings, failed), start, run.schedule, options);
  if (!conditioning.kept) return x;
  // A list that does not end at zero leaves some noise on what was to be kept.
  return conditioning.kept->latents + conditioning.kept->mask * (x - conditioning.kept->latents);
}

}  // namespace keyflow::pipeline
