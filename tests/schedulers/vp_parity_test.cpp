#include "schedulers/reference_cases.h"
#include "schedulers/toy_models.h"

// Every variance-preserving schedule and its samplers against the classes of diffusers 0.42.1: see vp_reference.py.
namespace keyflow::schedulers::test {
namespace {

constexpr uint64_t kSeed = 1234;

Betas betas_of(const nlohmann::json& c) {
  const std::map<std::string, Betas> table{
      {"stable_diffusion", {BetaLaw::scaled_linear, .00085, .012}},
      {"ruyi", {BetaLaw::scaled_linear, .00085, .03}},
      {"linear", {BetaLaw::linear, .0001, .02}},
      {"squaredcos", {BetaLaw::squaredcos}},
  };
  auto betas = table.at(c.at("betas").get<std::string>());
  betas.zero_terminal_snr = c.at("zero_terminal_snr");
  return betas;
}

Schedule schedule_of(const nlohmann::json& c) {
  const std::map<std::string, VpKind> kinds{
      {"ddim", VpKind::ddim}, {"euler", VpKind::euler}, {"multistep", VpKind::multistep}, {"lcm", VpKind::lcm}};
  const std::map<std::string, TimeSpacing> times{
      {"leading", TimeSpacing::leading}, {"linspace", TimeSpacing::linspace}, {"trailing", TimeSpacing::trailing}};
  VpScheduleOptions options;
  options.steps = c.at("steps");
  options.betas = betas_of(c);
  options.times = times.at(c.at("times").get<std::string>());
  options.steps_offset = c.at("offset_of_times");
  options.spacing = spacing(c.value("spacing", "as_shifted"));
  options.end_at_zero = c.at("end_at_zero");
  return vp_schedule(kinds.at(c.at("kind").get<std::string>()), options);
}

Denoiser denoiser(const nlohmann::json& c, const Schedule& schedule) {
  const std::map<std::string, Prediction> predictions{
      {"epsilon", Prediction::epsilon}, {"v_prediction", Prediction::velocity}, {"sample", Prediction::sample}};
  const auto prediction = predictions.at(c.at("prediction").get<std::string>());
  const bool distilled = c.at("sampler") == "lcm";
  return [&schedule, prediction, distilled](const at::Tensor& x, int64_t step) {
    const double time = schedule.timestep(step);
    const auto output = toy_velocity(x * input_scale(schedule, step), time);
    const auto x0 = to_denoised(prediction, output, x, schedule, step);
    return distilled ? consistency(x0, x, time) : x0;
  };
}

class VpParity : public ReferenceCases {
 protected:
  void SetUp() override { open(KEYFLOW_BINARY_DIR "/reference/schedulers_vp"); }
};

TEST_F(VpParity, Schedules) {
  for (const auto& c : cases_) {
    SCOPED_TRACE(title(c));
    const auto schedule = schedule_of(c);
    // Times found back from sigmas hang on float32 logarithms, in which numpy and the C library differ by one unit.
    const double slack = c.at("kind") == "euler" && c.contains("spacing") ? 2e-5 : 0.0;
    expect_same_list(schedule.timesteps, c.at("timesteps_out"), "timestep", slack);
    if (!c.at("sigmas_out").empty()) expect_same_list(schedule.sigmas, c.at("sigmas_out"), "sigma");
  }
}

TEST_F(VpParity, Trajectories) {
  for (const auto& c : cases_) {
    SCOPED_TRACE(title(c));
    const auto& sampler = find_sampler(c.at("sampler").get<std::string>());
    const auto schedule = schedule_of(c);
    const auto samples = samples_of(c);
    ASSERT_EQ(samples.size(0), schedule.steps() + 1);
    SamplerOptions options;
    if (c.at("variant") == "heun") options.dpm = DpmVariant::heun;
    if (sampler.name == "ddim") options.eta = c.at("eta");
    if (samples.size(1) == 1) {
      const auto start = initial_noise({kSeed}, {3, 5, 7}) * schedule.start_spread;
      EXPECT_LE((start - samples[0]).abs().max().item<double>(), 3e-7 * samples[0].abs().max().item<double>());
      options.noise = seeded_noise({kSeed}, {3, 5, 7});
    }
    options.on_step = comparison(std::string(sampler.name), samples);
    sampler.run(denoiser(c, schedule), samples[0], schedule, options);
  }
  print_worst();
}

}  // namespace
}  // namespace keyflow::schedulers::test
