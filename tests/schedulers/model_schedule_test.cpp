#include "schedulers/model_schedule.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"

namespace keyflow::schedulers {
namespace {

ModelSchedule stable_diffusion() {
  ModelSchedule model;
  model.sampler = "pndm";
  model.betas = {BetaLaw::scaled_linear, .00085, .012};
  model.steps_offset = 1;
  return model;
}

ModelSchedule flow(double shift) {
  ModelSchedule model;
  model.prediction = Prediction::flow;
  model.shift = shift;
  return model;
}

ScheduleRequest asking(const std::string& sampler, const std::string& schedule, int64_t steps) {
  ScheduleRequest request;
  request.sampler = sampler;
  request.schedule = schedule;
  request.steps = steps;
  return request;
}

void expect_list(const std::vector<double>& found, const std::vector<double>& expected, double tolerance) {
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], tolerance) << i;
}

TEST(ModelSchedule, NamedListsOfStableDiffusion) {
  const auto times = [](const char* schedule, int64_t steps) {
    return make_schedule(stable_diffusion(), asking("euler", schedule, steps)).timesteps;
  };
  EXPECT_EQ(times("discrete", 4), (std::vector<double>{999, 666, 333, 0}));
  EXPECT_EQ(times("normal", 1), (std::vector<double>{999}));
  EXPECT_EQ(times("simple", 4), (std::vector<double>{999, 749, 499, 249}));
  EXPECT_EQ(times("simple", 3), (std::vector<double>{999, 666, 333}));
  EXPECT_EQ(times("sgm_uniform", 4), (std::vector<double>{999, 749.25, 499.5, 249.75}));
  EXPECT_EQ(times("SGM Uniform", 2), (std::vector<double>{999, 499.5}));
  EXPECT_EQ(times("ddim_uniform", 4), (std::vector<double>{751, 501, 251, 1}));
  EXPECT_EQ(times("smoothstep", 4), (std::vector<double>{999, 843, 500, 156}));
  EXPECT_EQ(times("lcm", 4), (std::vector<double>{999, 759, 499, 259}));
  EXPECT_EQ(times("trailing", 4), (std::vector<double>{999, 749, 499, 249}));
  EXPECT_EQ(times("linspace", 4), (std::vector<double>{999, 666, 333, 0}));
  EXPECT_EQ(times("leading", 4), (std::vector<double>{751, 501, 251, 1}));
}

// The published ten-step levels, and twice as many between them by the geometric mean.
TEST(ModelSchedule, AlignYourSteps) {
  auto model = stable_diffusion();
  const auto ten = make_schedule(model, asking("dpm++2m", "ays", 10));
  expect_list(ten.sigmas,
              {14.6146412, 6.4745761, 3.8636746, 2.6946152, 1.8841921, 1.3943805, 0.9642584, 0.6523686, 0.3977456,
               0.1515233, 0},
              1e-6);
  const auto twenty = make_schedule(model, asking("dpm++2m", "ays_sd1", 20));
  for (size_t i = 0; i < 9; ++i) {
    EXPECT_NEAR(twenty.sigmas[2 * i], ten.sigmas[i], 1e-6);
    EXPECT_NEAR(twenty.sigmas[2 * i + 1], std::sqrt(ten.sigmas[i] * ten.sigmas[i + 1]), 1e-6);
  }
  // The times that the paper's page gives for these levels.
  const std::vector<double> published{999, 850, 736, 645, 545, 455, 343, 233, 124, 24};
  expect_list(ten.timesteps, published, 1.0);
  model.ays = NamedList::ays_sdxl;
  expect_list(make_schedule(model, asking("euler", "ays", 10)).timesteps,
              {999, 845, 730, 587, 443, 310, 193, 116, 53, 13}, 1.0);
  EXPECT_EQ(make_schedule(model, asking("euler", "ays_svd", 10)).sigmas.front(), 700.0);
}

TEST(ModelSchedule, KlOptimalIsEvenInTheAngle) {
  const auto schedule = make_schedule(stable_diffusion(), asking("euler", "kl_optimal", 5));
  const double first = std::atan(14.614647), last = std::atan(0.029167);
  for (size_t i = 0; i < 5; ++i) {
    EXPECT_NEAR(std::atan(schedule.sigmas[i]), first + (last - first) * static_cast<double>(i) / 4, 1e-6);
  }
}

TEST(ModelSchedule, NamedListsOfFlowModels) {
  const double shift = 3.0;
  const auto shifted = [&](double sigma) { return shift * sigma / (1 + (shift - 1) * sigma); };
  const auto simple = make_schedule(flow(shift), asking("euler", "simple", 4));
  expect_list(simple.sigmas, {1, shifted(.75), shifted(.5), shifted(.25), 0}, 1e-7);
  expect_list(simple.timesteps, {1000, 1000 * shifted(.75), 1000 * shifted(.5), 1000 * shifted(.25)}, 1e-4);
  const auto discrete = make_schedule(flow(shift), asking("dpm++2m", "discrete", 4));
  expect_list(discrete.sigmas, {1, shifted(.667), shifted(.334), shifted(.001), 0}, 1e-7);
  const auto uniform = make_schedule(flow(shift), asking("unipc", "sgm_uniform", 2));
  expect_list(uniform.sigmas, {1, shifted(.5005), 0}, 1e-7);
  EXPECT_THROW(make_schedule(flow(shift), asking("euler", "ays", 4)), Error);
  EXPECT_THROW(make_schedule(flow(shift), asking("euler", "leading", 4)), Error);
}

TEST(ModelSchedule, EverySamplerTakesEverySchedule) {
  auto shifting = flow(1);
  shifting.dynamic = DynamicShift::exponential;
  shifting.even_sigmas = true;
  for (const auto& model : {stable_diffusion(), flow(3), shifting}) {
    for (const auto& sampler : sampler_names()) {
      for (const auto& name : schedule_names()) {
        const bool refused = model.is_flow() &&
                             (name == "leading" || name == "trailing" || name == "linspace" || name.starts_with("ays"));
        for (const int64_t steps : {1, 2, 7, 50}) {
          auto request = asking(sampler, name, steps);
          request.tokens = 1024;
          if (refused) {
            EXPECT_THROW(make_schedule(model, request), Error);
            continue;
          }
          const auto schedule = make_schedule(model, request);
          EXPECT_EQ(schedule.steps(), steps) << sampler << " " << name;
          if (find_sampler(sampler).inner == InnerPoints::none) continue;
          ASSERT_EQ(schedule.inner_sigmas.size(), static_cast<size_t>(steps));
          for (int64_t i = 0; i + 1 < steps; ++i) {
            const double inner = schedule.inner_sigmas[i];
            if (inner == 0) continue;
            EXPECT_LT(inner, schedule.sigmas[i]);
            EXPECT_LT(schedule.inner_timesteps[i], schedule.timesteps[i] + 1.0);
          }
        }
      }
    }
  }
}

TEST(ModelSchedule, ShiftFollowsTheTokensUnlessAsked) {
  auto model = flow(3);
  model.dynamic = DynamicShift::exponential;
  model.even_sigmas = true;
  auto request = asking("euler", "auto", 4);
  EXPECT_THROW(make_schedule(model, request), Error);
  request.tokens = 4096;
  const double pull = std::exp(1.15);
  const auto at = [&](double sigma) { return pull / (pull + (1 / sigma - 1)); };
  expect_list(make_schedule(model, request).sigmas, {1, at(.75), at(.5), at(.25), 0}, 1e-6);
  request.shift = 1.0;
  expect_list(make_schedule(model, request).sigmas, {1, .75, .5, .25, 0}, 1e-7);
  EXPECT_THROW(make_schedule(stable_diffusion(), request), Error);
}

TEST(ModelSchedule, OwnListsAreTakenAsTheyAre) {
  auto request = asking("euler", "auto", 25);
  request.sigmas = {0.9, 0.5};
  const auto own = make_schedule(flow(3), request);
  expect_list(own.sigmas, {0.9, 0.5, 0}, 0);
  expect_list(own.timesteps, {900, 500}, 1e-9);
  request.sigmas = {14.614647, 1.0, 0};
  const auto levels = make_schedule(stable_diffusion(), request);
  expect_list(levels.sigmas, {14.614647, 1.0, 0}, 1e-6);
  EXPECT_NEAR(levels.timesteps[0], 999, 0.01);
  request.timesteps = {999};
  EXPECT_THROW(make_schedule(stable_diffusion(), request), Error);
  request.sigmas.clear();
  request.timesteps = {999, 499, 19};
  EXPECT_EQ(make_schedule(stable_diffusion(), request).timesteps, request.timesteps);
  request.timesteps = {499, 999};
  EXPECT_THROW(make_schedule(stable_diffusion(), request), Error);
  request.timesteps = {1001};
  EXPECT_THROW(make_schedule(flow(3), request), Error);
}

TEST(ModelSchedule, StrengthLeavesStepsOut) {
  EXPECT_EQ(first_step(stable_diffusion(), 50, 1.0), 0);
  EXPECT_EQ(first_step(stable_diffusion(), 50, 0.8), 10);
  EXPECT_EQ(first_step(stable_diffusion(), 7, 0.5), 4);
  EXPECT_EQ(first_step(flow(3), 7, 0.5), 3);
  EXPECT_EQ(first_step(flow(3), 50, 0.0), 50);
  auto request = asking("ddim", "auto", 50);
  request.strength = 0.8;
  const auto rest = make_schedule(stable_diffusion(), request);
  ASSERT_EQ(rest.steps(), 40);
  EXPECT_EQ(rest.timesteps[0], 781);
  EXPECT_EQ(rest.landings.size(), 40u);
  request.strength = 0.01;
  EXPECT_THROW(make_schedule(stable_diffusion(), request), Error);
  request.strength = 1.5;
  EXPECT_THROW(make_schedule(stable_diffusion(), request), Error);
}

TEST(ModelSchedule, SamplerAndScheduleByTheFieldsNames) {
  const auto name = [](const char* text) { return std::string(find_sampler(text).name); };
  EXPECT_EQ(name("Euler a"), "euler_a");
  EXPECT_EQ(name("euler_ancestral"), "euler_a");
  EXPECT_EQ(name("k_euler"), "euler");
  EXPECT_EQ(name("dpmpp_2m"), "dpm++2m");
  EXPECT_EQ(name("DPM++ 2M SDE Karras"), "dpm++2m_sde");
  EXPECT_EQ(name("dpmpp_2s_ancestral"), "dpm++2s_a");
  EXPECT_EQ(name("dpm_2_ancestral"), "dpm2_a");
  EXPECT_EQ(name("uni_pc"), "unipc");
  EXPECT_EQ(name("plms"), "pndm");
  EXPECT_EQ(name("ddim_trailing"), "ddim");
  EXPECT_EQ(name("LMS Karras"), "lms");
  EXPECT_EQ(find_named_sampler("DPM++ 2M Karras").schedule, "karras");
  const auto implied = make_schedule(stable_diffusion(), asking("DPM++ 2M Karras", "auto", 8));
  EXPECT_EQ(implied.sigmas, make_schedule(stable_diffusion(), asking("dpm++2m", "karras", 8)).sigmas);
  EXPECT_EQ(make_schedule(stable_diffusion(), asking("ddim_trailing", "auto", 4)).timesteps,
            (std::vector<double>{999, 749, 499, 249}));
  EXPECT_EQ(make_schedule(stable_diffusion(), asking("ddim_trailing", "leading", 4)).timesteps,
            (std::vector<double>{751, 501, 251, 1}));
  try {
    make_schedule(stable_diffusion(), asking("euler", "karas", 4));
    ADD_FAILURE() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_NE(std::string(error.what()).find("hint: karras"), std::string::npos) << error.what();
  }
}

TEST(ModelSchedule, GitsIsRefusedWithWhatIsNear) {
  try {
    make_schedule(stable_diffusion(), asking("euler", "gits", 10));
    ADD_FAILURE() << "accepted";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("ays"), std::string::npos) << error.what();
  }
}

TEST(ModelSchedule, ZeroTerminalSnrStartsAtPureNoise) {
  auto model = stable_diffusion();
  model.betas.zero_terminal_snr = true;
  model.prediction = Prediction::velocity;
  for (const auto& sampler : sampler_names()) {
    const auto schedule = make_schedule(model, asking(sampler, sampler == "lcm" ? "auto" : "trailing", 8));
    EXPECT_GE(schedule.sigmas[0], 4095) << sampler;
  }
}

}  // namespace
}  // namespace keyflow::schedulers
