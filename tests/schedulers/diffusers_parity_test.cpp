#include "schedulers/reference_cases.h"
#include "schedulers/toy_models.h"

// Every flow schedule and sampler against the classes of diffusers 0.42.1: see diffusers_reference.py.
namespace keyflow::schedulers::test {
namespace {

constexpr uint64_t kSeed = 1234;

Schedule schedule_of(const nlohmann::json& c) {
  FlowScheduleOptions options;
  options.steps = c.at("steps");
  options.shift = c.at("shift");
  options.spacing = spacing(c.value("spacing", "as_shifted"));
  if (c.contains("dynamic")) {
    options.dynamic = c.at("dynamic") == "linear" ? DynamicShift::linear : DynamicShift::exponential;
    options.mu = c.at("mu");
  }
  if (c.contains("shift_terminal")) options.shift_terminal = c.at("shift_terminal");
  if (c.contains("sigmas")) options.sigmas = c.at("sigmas").get<std::vector<double>>();
  return flow_schedule(flow_kind(c.at("kind").get<std::string>()), options);
}

SamplerOptions sampler_options(const nlohmann::json& c) {
  SamplerOptions options;
  options.order = c.value("order", 2);
  if (c.value("variant", "") == "bh1") options.unipc = UniPcVariant::bh1;
  if (c.value("variant", "") == "heun") options.dpm = DpmVariant::heun;
  options.disable_corrector = c.value("disable_corrector", std::vector<int64_t>{});
  return options;
}

class DiffusersParity : public ReferenceCases {
 protected:
  void SetUp() override { open(KEYFLOW_BINARY_DIR "/reference/schedulers"); }
};

TEST_F(DiffusersParity, Schedules) {
  for (const auto& c : cases_) {
    SCOPED_TRACE(title(c));
    const auto schedule = schedule_of(c);
    expect_same_list(schedule.sigmas, c.at("sigmas_out"), "sigma");
    expect_same_list(schedule.timesteps, c.at("timesteps_out"), "timestep");
  }
}

TEST_F(DiffusersParity, Trajectories) {
  for (const auto& c : cases_) {
    SCOPED_TRACE(title(c));
    const auto& sampler = find_sampler(c.at("sampler").get<std::string>());
    const auto schedule = schedule_of(c);
    const auto samples = samples_of(c);
    // diffusers' bh1 has no last sample: it is not a number there.
    ASSERT_EQ(samples.size(0), schedule.steps() + (c.value("variant", "") == "bh1" ? 0 : 1));
    auto options = sampler_options(c);
    if (sampler.stochastic) {
      EXPECT_TRUE(initial_noise({kSeed}, {3, 5, 7}).equal(samples[0]));
      options.noise = seeded_noise({kSeed}, {3, 5, 7});
    }
    options.on_step = comparison(std::string(sampler.name), samples);
    sampler.run(flow_denoiser(schedule, toy_velocity), samples[0], schedule, options);
  }
  print_worst();
}

}  // namespace
}  // namespace keyflow::schedulers::test
