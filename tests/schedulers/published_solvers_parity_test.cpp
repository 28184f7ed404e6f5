#include "schedulers/model_schedule.h"
#include "schedulers/reference_cases.h"
#include "schedulers/toy_models.h"

// Solvers without a class in diffusers against their published formulas in float64: see published_solvers_reference.py.
namespace keyflow::schedulers::test {
namespace {

constexpr uint64_t kSeed = 1234;

class PublishedSolvers : public ReferenceCases {
 protected:
  void SetUp() override { open(KEYFLOW_BINARY_DIR "/reference/published_solvers", 150); }
};

TEST_F(PublishedSolvers, Trajectories) {
  for (const auto& c : cases_) {
    SCOPED_TRACE(title(c));
    ModelSchedule model;
    model.betas = {BetaLaw::scaled_linear, .00085, .012};
    if (c.at("flow")) model.prediction = Prediction::flow;
    ScheduleRequest request;
    request.sampler = c.at("sampler");
    request.sigmas = c.at("sigmas").get<std::vector<double>>();
    request.eta = c.at("eta").get<double>();
    const auto& sampler = sampler_of(model, request);
    const auto schedule = make_schedule(model, request);
    auto samples = samples_of(c);
    // The reference is written with a data share of alpha; on the ve path that share is 1.
    if (schedule.path == NoisePath::ve) {
      samples = samples.clone();
      for (int64_t i = 0; i <= schedule.steps(); ++i) {
        samples[i] *= std::sqrt(1 + schedule.sigmas[i] * schedule.sigmas[i]);
      }
    }
    const Denoiser denoise = [&](const at::Tensor& x, int64_t step) {
      const auto output = toy_velocity(x * input_scale(schedule, step), schedule.timestep(step));
      return to_denoised(model.prediction, output, x, schedule, step);
    };
    auto options = sampler_options(model, request);
    options.noise = seeded_noise({kSeed}, {3, 5, 7});
    options.on_step = comparison(std::string(sampler.name), samples, 2e-5);
    sampler.run(denoise, samples[0], schedule, options);
  }
  print_worst();
}

}  // namespace
}  // namespace keyflow::schedulers::test
