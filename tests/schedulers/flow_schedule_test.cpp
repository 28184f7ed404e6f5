#include "schedulers/flow_schedule.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"

// Golden tables made with diffusers 0.42.1 and the two solver files of Wan2.1@9737cba.
namespace keyflow::schedulers {
namespace {

FlowScheduleOptions steps_and_shift(int64_t steps, double shift) {
  FlowScheduleOptions options;
  options.steps = steps;
  options.shift = shift;
  return options;
}

struct Golden {
  FlowKind kind;
  int64_t steps;
  double shift;
  std::vector<double> first_times, last_times, first_sigmas, last_sigmas;
};

/// Compares the head and the tail of a list.
void expect_ends(const std::vector<double>& list, const std::vector<double>& head, const std::vector<double>& tail,
                 double tolerance) {
  ASSERT_GE(list.size(), std::max(head.size(), tail.size()));
  for (size_t i = 0; i < head.size(); ++i) EXPECT_NEAR(list[i], head[i], tolerance) << i;
  for (size_t i = 0; i < tail.size(); ++i) EXPECT_NEAR(list[list.size() - tail.size() + i], tail[i], tolerance) << i;
}

TEST(FlowSchedule, GoldenTables) {
  const std::vector<Golden> table{
      {FlowKind::wan_unipc,
       50,
       5,
       {999, 995, 991, 987, 982},
       {241, 172, 92},
       {.9997998, .9957324, .9915305},
       {.1722651, .0925069, 0}},
      {FlowKind::wan_unipc, 50, 3, {999, 992, 985, 978, 971}, {160, 111, 57}, {}, {0}},
      {FlowKind::wan_unipc, 40, 5, {999, 994, 989, 983, 978}, {288, 208, 113}, {}, {0}},
      {FlowKind::wan_unipc, 40, 12, {999, 997, 995, 993, 990}, {492, 386, 235}, {}, {0}},
      {FlowKind::wan_unipc, 50, 16, {999, 998, 997, 995, 994}, {504, 399, 245}, {}, {0}},
      {FlowKind::wan_unipc, 20, 5, {999, 989, 978, 965, 952}, {468, 356, 208}, {}, {0}},
      {FlowKind::wan_dpm,
       50,
       5,
       {1000, 995, 991, 987, 982},
       {241, 172, 92},
       {1, .9959350, .9917355},
       {.1724138, .0925926, 0}},
      {FlowKind::wan_dpm, 40, 12, {1000, 997, 995, 993, 990}, {493, 387, 235}, {1}, {0}},
      {FlowKind::wan_dpm, 50, 16, {1000, 998, 997, 996, 994}, {505, 400, 246}, {1}, {0}},
      {FlowKind::diffusers_unipc,
       50,
       5,
       {999, 995, 991, 987, 982},
       {244, 175, 96},
       {.9999990, .9959391},
       {.1759692, .0967784, 0}},
      {FlowKind::diffusers_dpm, 50, 5, {999, 995, 991, 987, 982}, {241, 172, 92}, {}, {0}},
  };
  for (const auto& golden : table) {
    SCOPED_TRACE(c10::str(name_of(golden.kind), " N=", golden.steps, " s=", golden.shift));
    const auto schedule = flow_schedule(golden.kind, steps_and_shift(golden.steps, golden.shift));
    EXPECT_EQ(schedule.steps(), golden.steps);
    expect_ends(schedule.timesteps, golden.first_times, golden.last_times, 0);
    expect_ends(schedule.sigmas, golden.first_sigmas, golden.last_sigmas, 6e-8);
  }
}

TEST(FlowSchedule, FlowMatchEulerShiftsItsSmallestSigmaTwice) {
  const auto fifty = flow_schedule(FlowKind::flow_match_euler, steps_and_shift(50, 5));
  expect_ends(fifty.timesteps, {1000, 995.87158, 991.60461, 987.19183, 982.62579}, {192.80360, 114.81947, 24.41406},
              1e-5);
  EXPECT_NEAR(fifty.sigmas[49], .0244141, 1e-7);
  const auto four = flow_schedule(FlowKind::flow_match_euler, steps_and_shift(4, 5));
  expect_ends(four.timesteps, {1000, 909.70715, 717.31744, 24.41406}, {}, 1e-5);
}

TEST(FlowSchedule, FewStepTableOfTheDistilledModels) {
  expect_ends(flow_schedule(FlowKind::few_step, steps_and_shift(4, 5)).sigmas, {1, .9375, .833333, .625, 0}, {}, 5e-7);
  const auto strong = flow_schedule(FlowKind::few_step, steps_and_shift(4, 16));
  expect_ends(strong.sigmas, {1, .979592, .941176, .842105, 0}, {}, 5e-7);
  EXPECT_NEAR(strong.timesteps[1], 979.5918, 1e-4);
  auto named = steps_and_shift(50, 5);
  named.few_steps = {1000, 500};
  expect_ends(flow_schedule(FlowKind::few_step, named).sigmas, {1, .833333, 0}, {}, 5e-7);
}

TEST(FlowSchedule, StaticShiftIsTheDynamicOneInDisguise) {
  for (const double shift : {1.0, 3.0, 5.0, 16.0}) {
    auto exponential = steps_and_shift(20, 1.0), linear = exponential;
    exponential.dynamic = DynamicShift::exponential;
    exponential.mu = std::log(shift);
    linear.dynamic = DynamicShift::linear;
    linear.mu = shift;
    const auto fixed = flow_schedule(FlowKind::diffusers_unipc, steps_and_shift(20, shift)).sigmas;
    expect_ends(flow_schedule(FlowKind::diffusers_unipc, exponential).sigmas, fixed, {}, 1.2e-7);
    expect_ends(flow_schedule(FlowKind::diffusers_unipc, linear).sigmas, fixed, {}, 1.2e-7);
  }
}

TEST(FlowSchedule, FluxMuIsALineThroughTwoPoints) {
  EXPECT_NEAR(dynamic_mu(256), 0.5, 1e-12);
  EXPECT_NEAR(dynamic_mu(4096), 1.15, 1e-12);
  EXPECT_NEAR(dynamic_mu(7936), 1.8, 1e-12);
  EXPECT_THROW(dynamic_mu(0), Error);
}

TEST(FlowSchedule, TerminalSigmaIsMet) {
  for (const auto kind : {FlowKind::flow_match_euler, FlowKind::diffusers_unipc}) {
    auto options = steps_and_shift(7, 3);
    options.shift_terminal = 0.1;
    EXPECT_NEAR(flow_schedule(kind, options).sigmas[6], 0.1, 1e-7);
  }
}

TEST(FlowSchedule, EveryKindFallsToZeroForEveryStepCountAndShift) {
  for (const auto& name : flow_kind_names()) {
    for (const double shift : {0.5, 1.0, 3.0, 5.0, 8.0, 12.0, 16.0}) {
      for (const int64_t steps : {1, 2, 3, 14, 15, 80, 100, 120, 200, 1000}) {
        const auto schedule = flow_schedule(flow_kind(name), steps_and_shift(steps, shift));
        ASSERT_EQ(schedule.steps(), steps);
        ASSERT_EQ(static_cast<int64_t>(schedule.sigmas.size()), steps + 1);
        EXPECT_EQ(schedule.sigmas.back(), 0);
        for (int64_t i = 0; i < steps; ++i) {
          ASSERT_GT(schedule.sigmas[i], schedule.sigmas[i + 1]) << name << " N=" << steps << " s=" << shift;
          ASSERT_LE(std::abs(schedule.timesteps[i] - 1000 * schedule.sigmas[i]), 1.001);
        }
      }
    }
  }
}

TEST(FlowSchedule, ExplicitSigmasAreTakenAsTheyAre) {
  const auto schedule = explicit_schedule({0.9, 0.5, 0.1});
  EXPECT_EQ(schedule.sigmas, (std::vector<double>{0.9, 0.5, 0.1, 0}));
  EXPECT_EQ(schedule.timesteps, (std::vector<double>{900, 500, 100}));
  EXPECT_EQ(explicit_schedule({0.5, 0.0}).sigmas, (std::vector<double>{0.5, 0}));
}

TEST(FlowSchedule, StartingLaterDropsTheFirstSteps) {
  const auto whole = flow_schedule(FlowKind::wan_unipc, steps_and_shift(4, 5));
  const auto rest = starting_at(whole, 1);
  EXPECT_EQ(rest.steps(), 3);
  EXPECT_EQ(rest.sigmas[0], whole.sigmas[1]);
  EXPECT_EQ(rest.timesteps[2], whole.timesteps[3]);
  EXPECT_THROW(starting_at(whole, 4), Error);
  EXPECT_THROW(starting_at(whole, -1), Error);
}

/// The message of the Error that `call` throws; its kind must be usage.
template <class Call>
std::string refusal(Call call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    return error.what();
  }
  ADD_FAILURE() << "accepted";
  return {};
}

std::string refused(FlowKind kind, const FlowScheduleOptions& options) {
  return refusal([&] { flow_schedule(kind, options); });
}

TEST(FlowScheduleRefuses, NumbersOutOfRange) {
  EXPECT_NE(refused(FlowKind::wan_unipc, steps_and_shift(0, 5)).find("steps: expected 1 to 10000, found 0"),
            std::string::npos);
  EXPECT_NE(refused(FlowKind::few_step, steps_and_shift(1001, 5)).find("found 1001"), std::string::npos);
  for (const double shift : std::vector<double>{0.0, -1.0, INFINITY, NAN}) {
    EXPECT_NE(refused(FlowKind::wan_dpm, steps_and_shift(4, shift)).find("shift: expected a number above 0"),
              std::string::npos);
  }
  auto options = steps_and_shift(4, 5);
  options.dynamic = DynamicShift::linear;
  options.mu = 0;
  EXPECT_NE(refused(FlowKind::flow_match_euler, options).find("mu: expected"), std::string::npos);
  options = steps_and_shift(4, 5);
  options.shift_terminal = 1.0;
  EXPECT_NE(refused(FlowKind::flow_match_euler, options).find("between 0 and 1"), std::string::npos);
  options.shift_terminal = 0.1;
  options.steps = 1;
  EXPECT_NE(refused(FlowKind::flow_match_euler, options).find("2 steps or more"), std::string::npos);
}

TEST(FlowScheduleRefuses, CombinationsWithoutAMeaning) {
  auto options = steps_and_shift(4, 5);
  options.shift_terminal = 0.1;
  EXPECT_NE(refused(FlowKind::wan_unipc, options).find("not defined for wan_unipc"), std::string::npos);
  options = steps_and_shift(4, 5);
  options.spacing = Spacing::karras;
  EXPECT_NE(refused(FlowKind::diffusers_dpm, options).find("karras: not defined"), std::string::npos);
  options = steps_and_shift(4, 5);
  options.few_steps = {1000, 500};
  EXPECT_NE(refused(FlowKind::wan_unipc, options).find("only few_step"), std::string::npos);
  options.few_steps = {500, 1000};
  EXPECT_NE(refused(FlowKind::few_step, options).find("falling"), std::string::npos);
  options = steps_and_shift(4, 5);
  options.dynamic = DynamicShift::linear;
  options.mu = 1;
  EXPECT_NE(refused(FlowKind::wan_dpm, options).find("linear"), std::string::npos);
}

TEST(FlowScheduleRefuses, BadLists) {
  EXPECT_NE(refusal([] { explicit_schedule({}); }).find("at least 1"), std::string::npos);
  EXPECT_NE(refusal([] { explicit_schedule({0.0}); }).find("at least 1 step"), std::string::npos);
  EXPECT_NE(refusal([] { explicit_schedule({0.5, 0.9}); }).find("expected at most 0.5"), std::string::npos);
  EXPECT_NE(refusal([] { explicit_schedule({1.5, 0.9}); }).find("at most 1"), std::string::npos);
  EXPECT_NE(refusal([] { explicit_schedule({0.9, NAN}); }).find("sigma 1"), std::string::npos);
  EXPECT_NE(refusal([] { explicit_schedule({0.9, 0.0, 0.0}); }).find("sigma 1"), std::string::npos);
  auto options = steps_and_shift(4, 5);
  options.sigmas = {0.5, 0.7};
  EXPECT_NE(refused(FlowKind::flow_match_euler, options).find("the one before it"), std::string::npos);
}

TEST(FlowScheduleRefuses, UnknownNamesWithTheNearest) {
  EXPECT_NE(refusal([] { flow_kind("wan_unipcc"); }).find("hint: wan_unipc"), std::string::npos);
  EXPECT_NE(refusal([] { spacing("karas"); }).find("hint: karras"), std::string::npos);
}

}  // namespace
}  // namespace keyflow::schedulers
