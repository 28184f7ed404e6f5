#include <ATen/ops/from_blob.h>
#include <ATen/ops/isfinite.h>
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>

#include "core/files.h"
#include "core/json.h"
#include "schedulers/toy_models.h"

// Every flow schedule and sampler against the classes of diffusers 0.42.1: see diffusers_reference.py.
namespace keyflow::schedulers::test {
namespace {

constexpr uint64_t kSeed = 1234;
const std::filesystem::path kFolder = KEYFLOW_BINARY_DIR "/reference/schedulers";

FlowScheduleOptions schedule_options(const nlohmann::json& c) {
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
  return options;
}

SamplerOptions sampler_options(const nlohmann::json& c) {
  SamplerOptions options;
  options.order = c.value("order", 2);
  if (c.value("variant", "") == "bh1") options.unipc = UniPcVariant::bh1;
  if (c.value("variant", "") == "heun") options.dpm = DpmVariant::heun;
  options.disable_corrector = c.value("disable_corrector", std::vector<int64_t>{});
  return options;
}

std::string title(nlohmann::json c) {
  for (const char* key : {"sigmas_out", "timesteps_out", "offset", "samples"}) c.erase(key);
  return c.dump();
}

class DiffusersParity : public ::testing::Test {
 protected:
  void SetUp() override {
    cases_ = read_json(kFolder / "cases.json");
    samples_ = MappedFile::open(kFolder / "samples.bin");
    ASSERT_GT(cases_.size(), 200u);
  }

  /// [S+1, B, 3, 5, 7]: the start and the sample after each step
  at::Tensor expected(const nlohmann::json& c) const {
    auto* data = samples_->data() + c.at("offset").get<int64_t>() * sizeof(float);
    return at::from_blob(data, c.at("samples").get<std::vector<int64_t>>(), at::kFloat);
  }

  nlohmann::json cases_;
  std::shared_ptr<MappedFile> samples_;
};

TEST_F(DiffusersParity, Schedules) {
  for (const auto& c : cases_) {
    SCOPED_TRACE(title(c));
    const auto schedule = flow_schedule(flow_kind(c.at("kind").get<std::string>()), schedule_options(c));
    EXPECT_EQ(schedule.timesteps.size(), c.at("timesteps_out").size());
    ASSERT_EQ(schedule.sigmas.size(), c.at("sigmas_out").size());
    for (size_t i = 0; i < schedule.sigmas.size(); ++i) {
      // Two units of float32's last place: pow and exp of numpy and of the C library differ by one.
      EXPECT_NEAR(schedule.sigmas[i], c["sigmas_out"][i].get<double>(), 2.4e-7 * schedule.sigmas[i]) << "sigma " << i;
      if (i == schedule.timesteps.size()) continue;
      const bool integer = c.at("kind") != "flow_match_euler";
      EXPECT_NEAR(schedule.timesteps[i], c["timesteps_out"][i].get<double>(),
                  integer ? 0.0 : 2.4e-7 * schedule.timesteps[i])
          << "timestep " << i;
    }
  }
}

TEST_F(DiffusersParity, Trajectories) {
  std::map<std::string, double> worst;
  for (const auto& c : cases_) {
    SCOPED_TRACE(title(c));
    const auto& sampler = find_sampler(c.at("sampler").get<std::string>());
    const auto schedule = flow_schedule(flow_kind(c.at("kind").get<std::string>()), schedule_options(c));
    const auto samples = expected(c);
    // diffusers' bh1 has no last sample: it is not a number there.
    ASSERT_EQ(samples.size(0), schedule.steps() + (c.value("variant", "") == "bh1" ? 0 : 1));
    auto options = sampler_options(c);
    if (sampler.stochastic) {
      EXPECT_TRUE(initial_noise({kSeed}, {3, 5, 7}).equal(samples[0]));
      options.noise = seeded_noise({kSeed}, {3, 5, 7});
    }
    options.on_step = [&](const SamplerState& state, const at::Tensor&) {
      EXPECT_TRUE(at::isfinite(state.latents).all().item<bool>());
      if (state.step >= samples.size(0)) return;
      const auto reference = samples[state.step];
      const double error = ((state.latents - reference).abs().max() / reference.abs().max()).item<double>();
      EXPECT_LE(error, 1e-5) << "after step " << state.step;
      auto& most = worst[std::string(sampler.name)];
      most = std::max(most, error);
    };
    sampler.run(flow_denoiser(schedule, toy_velocity), samples[0], schedule, options);
  }
  for (const auto& [name, error] : worst) std::printf("%-12s largest relative error %.2g\n", name.c_str(), error);
}

}  // namespace
}  // namespace keyflow::schedulers::test
