#include "schedulers/vp_schedule.h"

#include <ATen/ops/full.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "schedulers/prediction.h"
#include "schedulers/sampler.h"

// Golden numbers made with diffusers 0.42.1.
namespace keyflow::schedulers {
namespace {

const Betas kStableDiffusion{BetaLaw::scaled_linear, .00085, .012};

VpScheduleOptions with_steps(int64_t steps, TimeSpacing times = TimeSpacing::linspace) {
  VpScheduleOptions options;
  options.steps = steps;
  options.betas = kStableDiffusion;
  options.times = times;
  return options;
}

double kept_at(const std::vector<double>& table, size_t i) { return 1 / (1 + table[i] * table[i]); }

TEST(VpSigmaTable, GoldenEntries) {
  const auto table = vp_sigma_table(kStableDiffusion);
  ASSERT_EQ(table.size(), 1000u);
  EXPECT_NEAR(kept_at(table, 0), .99915, 1e-7);
  EXPECT_NEAR(kept_at(table, 499), .27766943, 3e-8);
  EXPECT_NEAR(kept_at(table, 999), .00466009509, 1e-9);
  EXPECT_NEAR(table[0], .0291672, 5e-7);
  EXPECT_NEAR(table[999], 14.614647, 1e-6);
  const auto ruyi = vp_sigma_table({BetaLaw::scaled_linear, .00085, .03});
  EXPECT_NEAR(kept_at(ruyi, 499), .095847093, 1e-8);
  EXPECT_NEAR(ruyi[999], 419.87924, 5e-5);
}

TEST(VpSigmaTable, RisesForEveryLaw) {
  for (const auto law : {BetaLaw::linear, BetaLaw::scaled_linear, BetaLaw::squaredcos}) {
    for (const bool zero : {false, true}) {
      Betas betas = kStableDiffusion;
      betas.law = law;
      betas.zero_terminal_snr = zero;
      const auto table = vp_sigma_table(betas);
      for (size_t i = 1; i < table.size(); ++i) ASSERT_GT(table[i], table[i - 1]) << i;
      if (zero) {
        EXPECT_NEAR(table.back(), 4096, 1e-3);
      }
    }
  }
  EXPECT_THROW(vp_sigma_table({BetaLaw::linear, 0.0, 0.02}), Error);
  EXPECT_THROW(vp_sigma_table({BetaLaw::linear, 0.1, 0.02}), Error);
}

TEST(VpSchedule, LcmTimes) {
  EXPECT_EQ(vp_schedule(VpKind::lcm, with_steps(4)).timesteps, (std::vector<double>{999, 759, 499, 259}));
  EXPECT_EQ(vp_schedule(VpKind::lcm, with_steps(8)).timesteps,
            (std::vector<double>{999, 879, 759, 639, 499, 379, 259, 139}));
}

struct ToyRow {
  const char* sampler;
  VpKind kind;
  VpScheduleOptions options;
  std::vector<double> samples;
};

// eps(x, t) = 0.3 x - 0.7 t / 1000 + 0.1, x = 1 (Euler: sigma_max), 8 steps.
TEST(VpSchedule, ToySequences) {
  auto leading = with_steps(8, TimeSpacing::leading);
  leading.steps_offset = 1;
  leading.end_at_zero = false;
  auto karras = with_steps(8);
  karras.spacing = Spacing::karras;
  const std::vector<ToyRow> rows{
      {"ddim", VpKind::ddim, leading, {1.919869, 2.920042, 3.888405, 4.706290, 5.281304, 5.561917, 5.383914, 5.365399}},
      {"euler",
       VpKind::euler,
       with_steps(8),
       {16.995627, 16.188699, 14.833991, 13.545941, 12.426216, 11.433457, 10.144467, 10.052822}},
      {"dpm++2m",
       VpKind::multistep,
       with_steps(8),
       {2.286167, 3.722251, 5.245422, 6.690659, 7.903061, 8.729127, 9.085176, 8.689801}},
      {"dpm++2m",
       VpKind::multistep,
       karras,
       {2.091103, 3.709835, 6.027492, 8.120728, 8.431927, 8.034662, 7.787439, 7.719693}},
  };
  for (const auto& row : rows) {
    const auto schedule = vp_schedule(row.kind, row.options);
    const Denoiser denoise = [&](const at::Tensor& x, int64_t step) {
      const auto eps = 0.3 * (x * input_scale(schedule, step)) - 0.7 * schedule.timesteps[step] / 1000 + 0.1;
      return to_denoised(Prediction::epsilon, eps, x, schedule, step);
    };
    SamplerOptions options;
    options.on_step = [&](const SamplerState& state, const at::Tensor&) {
      const double expected = row.samples[state.step - 1];
      EXPECT_NEAR(state.latents.item<double>(), expected, 2e-6 * expected) << row.sampler << " step " << state.step;
    };
    const auto x = at::full({1, 1}, static_cast<float>(schedule.start_spread));
    find_sampler(row.sampler).run(denoise, x, schedule, options);
  }
}

TEST(VpSchedule, RefusesWhatIsOutOfRange) {
  EXPECT_THROW(vp_schedule(VpKind::ddim, with_steps(0)), Error);
  EXPECT_THROW(vp_schedule(VpKind::ddim, with_steps(1001)), Error);
  EXPECT_THROW(vp_schedule(VpKind::multistep, with_steps(1000)), Error);
  EXPECT_THROW(vp_schedule(VpKind::lcm, with_steps(51)), Error);
  auto options = with_steps(10);
  options.spacing = Spacing::karras;
  EXPECT_THROW(vp_schedule(VpKind::ddim, options), Error);
  options = with_steps(1000, TimeSpacing::leading);
  options.steps_offset = 1;
  EXPECT_THROW(vp_schedule(VpKind::ddim, options), Error);
  options.steps_offset = 7;
  EXPECT_THROW(vp_schedule(VpKind::ddim, options), Error);
}

TEST(VpSchedule, StartingLaterKeepsTheLandings) {
  const auto whole = vp_schedule(VpKind::ddim, with_steps(7));
  const auto rest = starting_at(whole, 3);
  ASSERT_EQ(rest.landings.size(), 4u);
  EXPECT_EQ(rest.landings[0], whole.landings[3]);
  EXPECT_EQ(rest.path, NoisePath::vp);
}

}  // namespace
}  // namespace keyflow::schedulers
