#include "pipeline/denoise_phase.h"

#include "models/wan/keyframe_mask.h"
#include "models/wan/transformer_load.h"
#include "pipeline/precision.h"

namespace keyflow::pipeline {
namespace {

std::vector<int64_t> noise_shape(const RenderPlan& plan, const Segment& segment) {
  const auto& vae = plan.model->vae_config;
  const int64_t stride = vae.spatial_stride();
  return {vae.z_dim, wan::latent_frame(segment.frames - 1) + 1, plan.settings.height / stride,
          plan.settings.width / stride};
}

/// What happens after each step, in the order of importance: the state is kept, then others are told.
class StepKeeper {
 public:
  StepKeeper(const RenderPlan& plan, size_t segment, const std::vector<at::Tensor>& finished,
             const std::optional<LatentColours>& colours, const OutputOptions& output, const std::string& metadata,
             PhaseClock& clock)
      : plan_(plan),
        segment_(segment),
        finished_(finished),
        colours_(colours),
        output_(output),
        metadata_(metadata),
        clock_(clock) {}

  const std::optional<schedulers::SamplerState>& last() const { return last_; }
  void start_from(std::optional<schedulers::SamplerState> state) { last_ = std::move(state); }

  void operator()(const schedulers::SamplerState& state, const at::Tensor& denoised) {
    require_finite(state.latents, "denoise");
    last_ = state;
    const int64_t steps = plan_.settings.steps;
    clock_.advance(static_cast<int64_t>(segment_) * steps + state.step);
    if (colours_ && output_.preview_every > 0 && state.step % output_.preview_every == 0) {
      clock_.observer().preview(state.step, preview_picture(denoised, *colours_));
    }
    const bool stopped = clock_.observer().wants_stop() && state.step < steps;
    const bool due = output_.checkpoint_every > 0 && state.step % output_.checkpoint_every == 0;
    if (stopped || due) save_run(output_.state, {metadata_, finished_, state});
    if (stopped) {
      fail(ErrorKind::interrupted, "stopped after step ", state.step, " of ", steps, "; the state is saved in ",
           printable(output_.state.string(), 400), "; hint: --resume");
    }
  }

 private:
  const RenderPlan& plan_;
  size_t segment_;
  const std::vector<at::Tensor>& finished_;
  const std::optional<LatentColours>& colours_;
  const OutputOptions& output_;
  const std::string& metadata_;
  PhaseClock& clock_;
  std::optional<schedulers::SamplerState> last_;
};

}  // namespace

void denoise_segments(const RenderPlan& plan, size_t first, size_t last, const std::vector<Conditioning>& conditioning,
                      std::vector<at::Tensor>& latents, std::optional<schedulers::SamplerState> resume,
                      const std::optional<LatentColours>& colours, const OutputOptions& output,
                      const std::string& metadata, PhaseClock& clock) {
  const ModelFiles& model = *plan.model;
  const int64_t steps = plan.settings.steps, total = steps * static_cast<int64_t>(plan.segments.size());
  // The transformer outlives its segment, so that it is built once; another precision replaces it.
  std::optional<wan::Transformer> transformer;
  std::optional<Compute> built;
  for (size_t k = first; k < last; ++k) {
    const std::vector<uint64_t> seeds{plan.settings.seed + k};
    const std::vector<int64_t> shape = noise_shape(plan, plan.segments[k]);
    StepKeeper keeper(plan, k, latents, colours, output, metadata, clock);
    keeper.start_from(std::exchange(resume, std::nullopt));
    FailedStep failed;
    std::string place;
    const auto run = [&](const Compute& compute) {
      if (!built || to_text(*built) != to_text(compute)) {
        clock.start(Phase::load, 1);
        transformer.reset();
        transformer.emplace(wan::load_transformer(model.transformer.file, model.transformer_config, compute));
        built = compute;
        clock.start(Phase::denoise, total, static_cast<int64_t>(k) * steps);
      }
      schedulers::SamplerOptions options;
      options.noise = schedulers::seeded_noise(seeds, shape);
      options.on_step = [&](const auto& state, const at::Tensor& denoised) { keeper(state, denoised); };
      options.resume = keeper.last();
      try {
        return denoise(*transformer, conditioning[k - first], schedulers::initial_noise(seeds, shape), plan.settings,
                       options, failed);
      } catch (const NotFinite&) {
        place = c10::str("step ", failed.step + 1, " of ", steps, failed.module.empty() ? "" : ", " + failed.module);
        throw;
      }
    };
    latents.push_back(
        with_fallback(built.value_or(plan.compute), model.transformer, "denoise", clock.observer(), place, run));
  }
  transformer.reset();
  release_pages(model.transformer);
}

}  // namespace keyflow::pipeline
