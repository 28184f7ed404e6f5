#include "pipeline/denoise_phase.h"

#include "pipeline/model.h"
#include "pipeline/precision.h"

namespace keyflow::pipeline {
namespace {

/// Of one sample, without its batch dimension.
std::vector<int64_t> noise_shape(const RenderPlan& plan, const Segment& segment) {
  const ModelFacts& facts = plan.model->facts();
  return {facts.latent_channels, facts.latent_frames(segment.frames), plan.settings.height / facts.stride,
          plan.settings.width / facts.stride};
}

/// What a run starts from: noise, or given latents under as much of it as the first sigma wants.
at::Tensor start_of(const Conditioning& conditioning, const schedulers::Schedule& schedule, const at::Tensor& noise) {
  if (!conditioning.initial.defined()) return noise * schedule.start_spread;
  return schedulers::add_noise(conditioning.initial, noise, schedule, 0);
}

/// What happens after each step, in the order of importance: the state is kept, then others are told.
class StepKeeper {
 public:
  StepKeeper(const RenderPlan& plan, size_t segment, int64_t steps, const std::vector<at::Tensor>& finished,
             const Previewer& preview, const OutputOptions& output, const std::string& metadata, PhaseClock& clock)
      : plan_(plan),
        segment_(segment),
        steps_(steps),
        finished_(finished),
        preview_(preview),
        output_(output),
        metadata_(metadata),
        clock_(clock) {}

  const std::optional<schedulers::SamplerState>& last() const { return last_; }
  void start_from(std::optional<schedulers::SamplerState> state) { last_ = std::move(state); }

  void operator()(const schedulers::SamplerState& state, const at::Tensor& denoised) {
    require_finite(state.latents, "denoise");
    last_ = state;
    clock_.advance(static_cast<int64_t>(segment_) * steps_ + state.step);
    if (preview_ && output_.preview_every > 0 && state.step % output_.preview_every == 0) {
      clock_.observer().preview(state.step, preview_(denoised));
    }
    const bool stopped = clock_.observer().wants_stop() && state.step < steps_;
    const bool due = output_.checkpoint_every > 0 && state.step % output_.checkpoint_every == 0;
    if (stopped || due) save_run(output_.state, {metadata_, finished_, state});
    if (stopped) {
      fail(ErrorKind::interrupted, "stopped after step ", state.step, " of ", steps_, "; the state is saved in ",
           printable(output_.state.string(), 400), "; hint: --resume");
    }
  }

 private:
  const RenderPlan& plan_;
  size_t segment_;
  int64_t steps_;
  const std::vector<at::Tensor>& finished_;
  const Previewer& preview_;
  const OutputOptions& output_;
  const std::string& metadata_;
  PhaseClock& clock_;
  std::optional<schedulers::SamplerState> last_;
};

}  // namespace

void denoise_segments(const RenderPlan& plan, size_t first, size_t last, const std::vector<Conditioning>& conditioning,
                      std::vector<at::Tensor>& latents, std::optional<schedulers::SamplerState> resume,
                      const Previewer& preview, const OutputOptions& output, const std::string& metadata,
                      PhaseClock& clock) {
  const Model& model = *plan.model;
  const Network& network = model.network(models::Part::denoiser);
  const RunSchedule schedule = model.schedule(plan.settings);
  const int64_t steps = schedule.schedule.steps(), total = steps * static_cast<int64_t>(plan.segments.size());
  // The denoiser outlives its segment, so that it is built once; another precision replaces it.
  std::unique_ptr<Denoiser> denoiser;
  std::optional<Compute> built;
  clock.start(Phase::denoise, total, static_cast<int64_t>(first) * steps);
  for (size_t k = std::max(first, latents.size()); k < last; ++k) {
    const Conditioning& given = conditioning[k - first];
    const schedulers::StepNoise draw =
        schedulers::seeded_noise({plan.settings.seed + k}, noise_shape(plan, plan.segments[k]), given.draws);
    StepKeeper keeper(plan, k, steps, latents, preview, output, metadata, clock);
    keeper.start_from(std::exchange(resume, std::nullopt));
    FailedStep failed;
    std::string place;
    const auto run = [&](const Compute& compute) {
      if (!built || to_text(*built) != to_text(compute)) {
        clock.start(Phase::load, 1);
        denoiser.reset();
        denoiser = model.load_denoiser(compute);
        built = compute;
        clock.start(Phase::denoise, total, static_cast<int64_t>(k) * steps);
      }
      schedulers::SamplerOptions options = schedule.options;
      options.noise = [&](int64_t step) { return draw(step + given.later_draws); };
      options.on_step = [&](const auto& state, const at::Tensor& denoised) { keeper(state, denoised); };
      options.resume = keeper.last();
      try {
        return denoise(*denoiser, given, schedule, start_of(given, schedule.schedule, draw(-1)), plan.settings, options,
                       failed);
      } catch (const NotFinite&) {
        place = c10::str("step ", failed.step + 1, " of ", steps, failed.module.empty() ? "" : ", " + failed.module);
        throw;
      }
    };
    latents.push_back(with_fallback(built.value_or(plan.compute), network, "denoise", clock.observer(), place, run));
  }
  denoiser.reset();
  release_pages(network);
}

}  // namespace keyflow::pipeline
