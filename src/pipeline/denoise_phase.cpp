#include "pipeline/denoise_phase.h"

#include "pipeline/control_pictures.h"
#include "pipeline/enlarge.h"
#include "pipeline/model.h"
#include "pipeline/precision.h"

namespace keyflow::pipeline {
namespace {

/// Of one sample, without its batch dimension.
std::vector<int64_t> noise_shape(const RenderPlan& plan, const RenderSettings& settings, const Segment& segment) {
  const ModelFacts& facts = plan.model->facts();
  return {facts.latent_channels, facts.latent_frames(segment.frames), settings.height / facts.stride,
          settings.width / facts.stride};
}

/// What a run starts from: noise, or given latents under as much of it as the first sigma wants.
at::Tensor start_of(const Conditioning& conditioning, const schedulers::Schedule& schedule, const at::Tensor& noise) {
  if (!conditioning.initial.defined()) return noise * schedule.start_spread;
  return schedulers::add_noise(conditioning.initial, noise, schedule, 0);
}

/// One run of the sampler within a segment: the only one, or the smaller of two and then the full size.
struct Stage {
  RenderSettings settings;  ///< with the size and the steps of this stage
  RunSchedule run;
  bool starts_from_smaller = false;
  int64_t done_before = 0;  ///< steps of the stages before, within a segment
};

std::vector<Stage> stages_of(const RenderPlan& plan) {
  const RenderSettings& settings = plan.settings;
  const Model& model = *plan.model;
  const double strength = settings.init_image.empty() ? 1 : settings.strength;
  if (strength == 0) return {};
  if (settings.hires_width <= 0) return {{settings, model.schedule(settings, strength)}};
  Stage small{settings, {}}, full{settings, {}, true};
  small.settings.width = settings.hires_width;
  small.settings.height = settings.hires_height;
  small.run = model.schedule(small.settings, strength);
  if (settings.hires_steps > 0) full.settings.steps = settings.hires_steps;
  full.run = model.schedule(full.settings, settings.hires_strength);
  full.done_before = small.run.schedule.steps();
  return {small, full};
}

/// Samples the segments of a plan with one denoiser, which outlives them; another precision replaces it.
class SegmentSampler {
 public:
  SegmentSampler(const RenderPlan& plan, const Previewer& preview, const OutputOptions& output,
                 const std::string& metadata, PhaseClock& clock)
      : plan_(plan),
        preview_(preview),
        output_(output),
        metadata_(metadata),
        clock_(clock),
        stages_(stages_of(plan)),
        steps_(stages_.empty() ? 0 : stages_.back().done_before + stages_.back().run.schedule.steps()) {}

  ~SegmentSampler() {
    denoiser_.reset();
    release_pages(network());
  }
  SegmentSampler(const SegmentSampler&) = delete;
  SegmentSampler& operator=(const SegmentSampler&) = delete;

  /// finished  latents of all segments before number k
  at::Tensor operator()(size_t k, const Conditioning& given, const std::vector<at::Tensor>& finished,
                        std::optional<schedulers::SamplerState> resume) {
    finished_ = &finished;
    segment_ = k;
    at::Tensor x = given.initial;  // [1, Z, T, h, w]
    for (const Stage& stage : stages_) {
      const std::vector<int64_t> shape = noise_shape(plan_, stage.settings, plan_.segments[k]);
      const bool is_resumed = resume && resume->latents.sizes().slice(1) == at::IntArrayRef(shape);
      if (resume && !is_resumed) continue;  // that stage was over
      Conditioning own = given;
      if (stages_.size() > 1) {
        own.width = stage.settings.width;
        own.height = stage.settings.height;
        own.controls = control_pictures(plan_, stage.settings.width, stage.settings.height);
      }
      if (stage.starts_from_smaller && !is_resumed) own.initial = enlarged_latents(x, shape, plan_, clock_);
      x = sample(stage, own, shape, std::exchange(resume, std::nullopt));
    }
    return x;
  }

 private:
  const Network& network() const { return plan_.model->network(models::Part::denoiser); }
  int64_t done(const Stage& stage) const { return static_cast<int64_t>(segment_) * steps_ + stage.done_before; }
  void show(const Stage& stage, int64_t step) {
    clock_.start(Phase::denoise, steps_ * static_cast<int64_t>(plan_.segments.size()), done(stage) + step);
  }

  at::Tensor sample(const Stage& stage, const Conditioning& given, const std::vector<int64_t>& shape,
                    std::optional<schedulers::SamplerState> resume) {
    const schedulers::StepNoise draw = schedulers::seeded_noise({plan_.settings.seed + segment_}, shape, given.draws,
                                                                schedulers::noise_kind(plan_.settings.rng));
    last_ = std::move(resume);
    FailedStep failed;
    std::string place;
    show(stage, last_ ? last_->step : 0);
    return with_fallback(
        built_.value_or(plan_.compute), network(), "denoise", clock_.observer(), place, [&](const Compute& compute) {
          build(compute, stage);
          schedulers::SamplerOptions options = stage.run.options;
          options.noise = [&](int64_t step) { return draw(step + given.later_draws); };
          options.on_step = [&](const auto& state, const at::Tensor& denoised) { after_step(stage, state, denoised); };
          options.resume = last_;
          try {
            return denoise(*denoiser_, given, stage.run, start_of(given, stage.run.schedule, draw(-1)), stage.settings,
                           options, failed);
          } catch (const NotFinite&) {
            place = c10::str("step ", failed.step + 1, " of ", stage.run.schedule.steps(),
                             failed.module.empty() ? "" : ", " + failed.module);
            throw;
          }
        });
  }

  void build(const Compute& compute, const Stage& stage) {
    if (built_ && to_text(*built_) == to_text(compute)) return;
    clock_.start(Phase::load, 1);
    denoiser_.reset();
    denoiser_ = plan_.model->load_denoiser(compute);
    built_ = compute;
    show(stage, last_ ? last_->step : 0);
  }

  /// In the order of importance: the state is kept, then others are told.
  void after_step(const Stage& stage, const schedulers::SamplerState& state, const at::Tensor& denoised) {
    require_finite(state.latents, "denoise");
    last_ = state;
    const int64_t step = stage.done_before + state.step;
    clock_.advance(done(stage) + state.step);
    if (preview_ && output_.preview_every > 0 && step % output_.preview_every == 0) {
      clock_.observer().preview(step, preview_(denoised));
    }
    const bool stopped = clock_.observer().wants_stop() && step < steps_;
    const bool due = output_.checkpoint_every > 0 && step % output_.checkpoint_every == 0;
    if (stopped || due) save_run(output_.state, {metadata_, *finished_, state});
    if (stopped) {
      fail(ErrorKind::interrupted, "stopped after step ", step, " of ", steps_, "; the state is saved in ",
           printable(output_.state.string(), 400), "; hint: --resume");
    }
  }

  const RenderPlan& plan_;
  const Previewer& preview_;
  const OutputOptions& output_;
  const std::string& metadata_;
  PhaseClock& clock_;
  const std::vector<Stage> stages_;
  const int64_t steps_;  // of a segment
  std::unique_ptr<Denoiser> denoiser_;
  std::optional<Compute> built_;
  const std::vector<at::Tensor>* finished_ = nullptr;
  size_t segment_ = 0;
  std::optional<schedulers::SamplerState> last_;
};

}  // namespace

void denoise_segments(const RenderPlan& plan, size_t first, size_t last, const std::vector<Conditioning>& conditioning,
                      std::vector<at::Tensor>& latents, std::optional<schedulers::SamplerState> resume,
                      const Previewer& preview, const OutputOptions& output, const std::string& metadata,
                      PhaseClock& clock) {
  SegmentSampler sampler(plan, preview, output, metadata, clock);
  for (size_t k = std::max(first, latents.size()); k < last; ++k) {
    latents.push_back(sampler(k, conditioning[k - first], latents, std::exchange(resume, std::nullopt)));
  }
}

}  // namespace keyflow::pipeline
