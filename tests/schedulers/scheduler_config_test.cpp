#include "schedulers/scheduler_config.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "core/error.h"

namespace keyflow::schedulers {
namespace {

using nlohmann::json;

ModelSchedule parse(json config) { return model_schedule_from_json(config, "scheduler_config.json"); }

std::string refusal(json config) {
  try {
    parse(std::move(config));
  } catch (const Error& error) {
    return error.what();
  }
  ADD_FAILURE() << "accepted";
  return "";
}

TEST(SchedulerConfig, PublishedFiles) {
  const std::filesystem::path configs = KEYFLOW_SHARED_DATA "/configs";
  if (!std::filesystem::exists(configs)) GTEST_SKIP() << "needs the shared data folder";
  int found = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(configs)) {
    if (entry.path().filename() != "scheduler_config.json") continue;
    SCOPED_TRACE(entry.path().string());
    const auto model = read_scheduler_config(entry.path());
    ScheduleRequest request;
    request.tokens = 4096;
    EXPECT_EQ(make_schedule(model, request).steps(), 25);
    ++found;
  }
  EXPECT_GE(found, 7);
  const auto sd15 = read_scheduler_config(configs / "sd15/scheduler/scheduler_config.json");
  EXPECT_EQ(sd15.sampler, "pndm");
  EXPECT_EQ(sd15.betas.law, BetaLaw::scaled_linear);
  EXPECT_EQ(sd15.steps_offset, 1);
  EXPECT_EQ(sd15.set_alpha_to_one, std::optional(false));
  const auto sd21 = read_scheduler_config(configs / "sd21/scheduler/scheduler_config.json");
  EXPECT_EQ(sd21.sampler, "ddim");
  EXPECT_EQ(sd21.prediction, Prediction::velocity);
  const auto sdxl = read_scheduler_config(configs / "sdxl/scheduler/scheduler_config.json");
  EXPECT_EQ(sdxl.sampler, "euler");
  EXPECT_EQ(sdxl.times, std::optional(TimeSpacing::leading));
  const auto sd3 = read_scheduler_config(configs / "sd3-medium/scheduler/scheduler_config.json");
  EXPECT_TRUE(sd3.is_flow());
  EXPECT_EQ(sd3.shift, 3.0);
  const auto dev = read_scheduler_config(configs / "flux1-dev/scheduler/scheduler_config.json");
  EXPECT_EQ(dev.dynamic, DynamicShift::exponential);
  EXPECT_EQ(dev.max_shift, 1.15);
  EXPECT_EQ(read_scheduler_config(configs / "flux1-schnell/scheduler/scheduler_config.json").dynamic,
            DynamicShift::off);
}

TEST(SchedulerConfig, SolversOfDpmAndUniPc) {
  EXPECT_EQ(parse({{"_class_name", "DPMSolverMultistepScheduler"}, {"algorithm_type", "sde-dpmsolver++"}}).sampler,
            "dpm++2m_sde");
  const auto third =
      parse({{"_class_name", "DPMSolverMultistepScheduler"}, {"solver_order", 3}, {"use_karras_sigmas", true}});
  EXPECT_EQ(third.sampler, "dpm++3m");
  EXPECT_EQ(third.spacing, Spacing::karras);
  const auto unipc = parse({{"_class_name", "UniPCMultistepScheduler"},
                            {"prediction_type", "flow_prediction"},
                            {"use_flow_sigmas", true},
                            {"flow_shift", 5.0},
                            {"solver_order", 3},
                            {"solver_type", "bh1"}});
  EXPECT_EQ(unipc.flow_kind, std::optional(FlowKind::diffusers_unipc));
  EXPECT_EQ(unipc.shift, 5.0);
  EXPECT_EQ(unipc.order, 3);
  EXPECT_EQ(unipc.unipc, UniPcVariant::bh1);
}

TEST(SchedulerConfig, RefusesWhatItCannotDo) {
  EXPECT_NE(refusal({{"_class_name", "PNDMSheduler"}}).find("hint: PNDMScheduler"), std::string::npos);
  EXPECT_NE(refusal(json::object()).find("_class_name"), std::string::npos);
  EXPECT_NE(refusal({{"_class_name", "DDIMScheduler"}}).find("clip_sample"), std::string::npos);
  EXPECT_NE(refusal({{"_class_name", "PNDMScheduler"}}).find("skip_prk_steps"), std::string::npos);
  EXPECT_NE(refusal({{"_class_name", "EulerDiscreteScheduler"}, {"beta_shedule", "linear"}}).find("beta_schedule"),
            std::string::npos);
  EXPECT_NE(refusal({{"_class_name", "EulerDiscreteScheduler"}, {"prediction_type", "eps"}}).find("v_prediction"),
            std::string::npos);
  EXPECT_NE(refusal({{"_class_name", "EulerDiscreteScheduler"}, {"num_train_timesteps", 500}}).find("1000"),
            std::string::npos);
  EXPECT_NE(
      refusal({{"_class_name", "DPMSolverMultistepScheduler"}, {"algorithm_type", "dpmsolver"}}).find("dpmsolver++"),
      std::string::npos);
  EXPECT_NE(refusal({{"_class_name", "DPMSolverMultistepScheduler"}, {"use_flow_sigmas", true}}).find("together"),
            std::string::npos);
  refusal({{"_class_name", "EulerDiscreteScheduler"}, {"trained_betas", {0.1, 0.2}}});
  refusal({{"_class_name", "LCMScheduler"}, {"thresholding", true}});
}

TEST(SchedulerConfig, PythonsInfinityIsRead) {
  const auto path = std::filesystem::path(testing::TempDir()) / "scheduler_config.json";
  std::ofstream(path) << R"({"_class_name": "DPMSolverMultistepScheduler", "lambda_min_clipped": -Infinity})";
  EXPECT_EQ(read_scheduler_config(path).sampler, "dpm++2m");
}

}  // namespace
}  // namespace keyflow::schedulers
