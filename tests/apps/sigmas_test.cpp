// `keyflow sigmas` prints the golden tables of the official and the diffusers schedulers (specification §12.1).
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "apps/program.h"

namespace keyflow::tests {
namespace {

nlohmann::json sigmas(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "sigmas");
  arguments.emplace_back("--json");
  const Outcome outcome = keyflow(arguments);
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  return nlohmann::json::parse(outcome.out);
}

struct Golden {
  std::vector<std::string> arguments;
  std::vector<double> first_times, last_times, first_sigmas, last_sigmas;
};

void expect_numbers(const nlohmann::json& list, size_t from, const std::vector<double>& expected, double tolerance) {
  for (size_t i = 0; i < expected.size(); ++i)
    EXPECT_NEAR(list[from + i].get<double>(), expected[i], tolerance) << from + i;
}

TEST(Sigmas, EqualTheGoldenTables) {
  const std::vector<Golden> tables{
      {{"--steps", "50", "--shift", "5"},
       {999, 995, 991, 987, 982},
       {241, 172, 92},
       {.9997998, .9957324, .9915305},
       {.1722651, .0925069, 0}},
      {{"--steps", "50", "--shift", "3"}, {999, 992, 985, 978, 971}, {160, 111, 57}, {}, {}},
      {{"--steps", "40", "--shift", "12"}, {999, 997, 995, 993, 990}, {492, 386, 235}, {}, {}},
      {{"--steps", "50", "--shift", "16"}, {999, 998, 997, 995, 994}, {504, 399, 245}, {}, {}},
      {{"--sampler", "dpm++2m"},
       {1000, 995, 991, 987, 982},
       {241, 172, 92},
       {1, .9959350, .9917355},
       {.1724138, .0925926, 0}},
      {{"--schedule", "diffusers_unipc"},
       {999, 995, 991, 987, 982},
       {244, 175, 96},
       {.9999990, .9959391},
       {.1759692, .0967784, 0}},
      {{"--sampler", "euler"},
       {1000, 995.87158, 991.60461, 987.19183, 982.62579},
       {192.80360, 114.81947, 24.41406},
       {},
       {}},
      {{"--sampler", "euler", "--steps", "4"}, {1000, 909.70715, 717.31744, 24.41406}, {}, {}, {}},
  };
  for (const auto& golden : tables) {
    SCOPED_TRACE(::testing::PrintToString(golden.arguments));
    const auto result = sigmas(golden.arguments);
    const auto &times = result["timesteps"], &list = result["sigmas"];
    ASSERT_EQ(list.size(), times.size() + 1);
    expect_numbers(times, 0, golden.first_times, 1e-5);
    expect_numbers(times, times.size() - golden.last_times.size(), golden.last_times, 1e-5);
    expect_numbers(list, 0, golden.first_sigmas, 6e-8);
    expect_numbers(list, list.size() - golden.last_sigmas.size(), golden.last_sigmas, 6e-8);
  }
}

TEST(Sigmas, TakeAListAsTheyAre) {
  EXPECT_EQ(sigmas({"--sigmas", "[1,0.5,0.25]"})["sigmas"], (std::vector<double>{1, 0.5, 0.25, 0}));
  expect_refused(keyflow({"sigmas", "--sigmas", "1,0.5,x"}), 2, {"--sigmas", "\"x\""});
  expect_refused(keyflow({"sigmas", "--sigmas", "0.5,1"}), 2, {});
}

/// A scheduler_config.json of the test's own.
std::string config_file(const std::string& name, const std::string& text) {
  const std::string path = testing::TempDir() + name;
  std::ofstream(path) << text;
  return path;
}

TEST(Sigmas, FollowASchedulerConfig) {
  const auto sd15 = config_file("sd15.json", R"({"_class_name": "PNDMScheduler", "beta_start": 0.00085,
    "beta_end": 0.012, "beta_schedule": "scaled_linear", "skip_prk_steps": true, "steps_offset": 1})");
  const auto own = sigmas({"--scheduler-config", sd15, "--steps", "4"});
  EXPECT_EQ(own["sampler"], "pndm");
  EXPECT_EQ(own["timesteps"], (std::vector<double>{751, 501, 251, 1}));
  EXPECT_EQ(own["landings"].size(), 4u);
  const auto karras = sigmas({"--scheduler-config", sd15, "--sampler", "DPM++ 2M Karras", "--steps", "8"});
  EXPECT_EQ(karras["sampler"], "dpm++2m");
  EXPECT_EQ(karras["timesteps"], (std::vector<double>{999, 890, 746, 549, 299, 90, 12, 0}));
  const auto twice = sigmas({"--scheduler-config", sd15, "--sampler", "dpm2", "--scheduler", "simple", "--steps", "4"});
  EXPECT_EQ(twice["timesteps"], (std::vector<double>{999, 749, 499, 249}));
  EXPECT_EQ(twice["inner_sigmas"].size(), 4u);
  EXPECT_NEAR(twice["inner_sigmas"][0].get<double>(),
              std::sqrt(twice["sigmas"][0].get<double>() * twice["sigmas"][1].get<double>()), 1e-5);
  const auto half = sigmas({"--scheduler-config", sd15, "--sampler", "ddim", "--steps", "4", "--strength", "0.5"});
  EXPECT_EQ(half["timesteps"], (std::vector<double>{251, 1}));
  expect_refused(keyflow({"sigmas", "--scheduler-config", sd15, "--schedule", "wan_dpm"}), 2, {"wan_dpm"});
  expect_refused(keyflow({"sigmas", "--scheduler-config", sd15, "--shift", "3"}), 2, {"flow"});
  expect_refused(keyflow({"sigmas", "--schedule", "karas"}), 2, {"hint: karras"});
  expect_refused(keyflow({"sigmas", "--sampler", "eulr"}), 2, {"hint: euler"});
}

TEST(Sigmas, ShiftFollowsTheTokens) {
  const auto flux = config_file("flux.json", R"({"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 3.0,
    "use_dynamic_shifting": true, "base_shift": 0.5, "max_shift": 1.15})");
  const auto shifted = sigmas({"--scheduler-config", flux, "--even-sigmas", "--tokens", "4096", "--steps", "2"});
  const double pull = std::exp(1.15);
  EXPECT_NEAR(shifted["sigmas"][1].get<double>(), pull / (pull + 1), 1e-6);
}

}  // namespace
}  // namespace keyflow::tests
