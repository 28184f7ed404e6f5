#include <ATen/ops/linspace.h>

#include "schedulers/reference_cases.h"
#include "schedulers/scheduler_config.h"
#include "schedulers/toy_models.h"

// Whole runs from a scheduler_config.json and a request against diffusers 0.42.1: see model_schedule_reference.py.
namespace keyflow::schedulers::test {
namespace {

constexpr uint64_t kSeed = 1234;

ScheduleRequest request_of(const nlohmann::json& c) {
  const auto& asked = c.at("request");
  ScheduleRequest request;
  request.steps = asked.at("steps");
  request.tokens = asked.value("tokens", 0);
  request.strength = asked.value("strength", 1.0);
  request.sigmas = asked.value("sigmas", std::vector<double>{});
  request.timesteps = asked.value("timesteps", std::vector<double>{});
  if (asked.contains("eta")) request.eta = asked.at("eta").get<double>();
  return request;
}

ModelSchedule model_of(const nlohmann::json& c) {
  auto model = model_schedule_from_json(c.at("config"), "scheduler_config.json");
  model.even_sigmas = c.at("request").value("even_sigmas", false);
  return model;
}

/// diffusers computes in float32 where keyflow has float64: the inner sigmas of ancestral DPM2 (differences of near
/// squares), and Euler's way from the sigma of 4096 that stands for pure noise.
double tolerance(const nlohmann::json& c, std::string_view sampler) {
  if (sampler == "dpm2_a") return 1e-4;
  return c.at("config").value("rescale_betas_zero_snr", false) && sampler.starts_with("euler") ? 5e-4 : 1e-5;
}

class ModelScheduleParity : public ReferenceCases {
 protected:
  void SetUp() override { open(KEYFLOW_BINARY_DIR "/reference/model_schedule"); }
};

TEST_F(ModelScheduleParity, Trajectories) {
  for (const auto& c : cases_) {
    SCOPED_TRACE(title(c));
    const auto model = model_of(c);
    const auto request = request_of(c);
    const auto& sampler = sampler_of(model, request);
    const auto schedule = make_schedule(model, request);
    const auto samples = samples_of(c);
    auto options = sampler_options(model, request);
    auto x = samples[0];
    if (samples.size(1) == 1) {
      options.noise = seeded_noise({kSeed}, {3, 5, 7});
      x = initial_noise({kSeed}, {3, 5, 7}) * schedule.start_spread;
      if (c.at("request").contains("strength")) {
        const auto picture = at::linspace(-1, 1, 3 * 5 * 7).reshape({1, 3, 5, 7});
        x = add_noise(picture, initial_noise({kSeed}, {3, 5, 7}), schedule, 0);
      }
      EXPECT_LE((x - samples[0]).abs().max().item<double>(), 1e-6 * samples[0].abs().max().item<double>());
    }
    options.on_step = comparison(std::string(sampler.name), samples, tolerance(c, sampler.name));
    std::vector<double> asked;
    const bool distilled = sampler.name == "lcm" && !model.is_flow();
    const Denoiser denoise = [&](const at::Tensor& seen, int64_t step) {
      const double time = schedule.timestep(step);
      asked.push_back(time);
      const auto output = toy_velocity(seen * input_scale(schedule, step), time);
      const auto x0 = to_denoised(model.prediction, output, seen, schedule, step);
      return distilled ? consistency(x0, seen, time) : x0;
    };
    sampler.run(denoise, samples[0], schedule, options);
    // Times found back from sigmas hang on float32 logarithms, in which numpy and the C library differ by one unit.
    expect_same_list(asked, c.at("asked"), "time", sampler.name == "dpm2_a" ? 2e-2 : 3e-5);
  }
  print_worst();
}

}  // namespace
}  // namespace keyflow::schedulers::test
