#include <ATen/Parallel.h>
#include <ATen/ops/full.h>
#include <ATen/ops/isfinite.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "schedulers/toy_models.h"

namespace keyflow::schedulers::test {
namespace {

const std::vector<int64_t> kShape{3, 5, 7};
const std::vector<uint64_t> kSeeds{11, 12};

Schedule schedule_of(FlowKind kind, int64_t steps, double shift) {
  FlowScheduleOptions options;
  options.steps = steps;
  options.shift = shift;
  return flow_schedule(kind, options);
}

/// With the points that the sampler asks for within its steps.
Schedule prepared(const SamplerEntry& sampler, const Schedule& schedule) {
  return with_inner_points(schedule, sampler.inner, sampler.eta, [](double sigma) { return 1000 * sigma; });
}

Schedule schedule_of(const SamplerEntry& sampler, int64_t steps) {
  return prepared(sampler, schedule_of(sampler.flow_kind, steps, 5));
}

/// The samplers whose last step to sigma 0 takes earlier slopes in, so that it does not end in the denoised sample.
bool ends_elsewhere(const std::string& sampler) { return sampler == "lms" || sampler == "ipndm" || sampler == "pndm"; }

/// The latents after each step.
std::vector<at::Tensor> run(const SamplerEntry& sampler, const Schedule& schedule, SamplerOptions options = {},
                            const std::vector<int64_t>& shape = kShape) {
  std::vector<at::Tensor> latents;
  if (!options.noise) options.noise = seeded_noise(kSeeds, shape);
  options.on_step = [&](const SamplerState& state, const at::Tensor&) { latents.push_back(state.latents); };
  const auto last = sampler.run(flow_denoiser(schedule, toy_velocity), initial_noise(kSeeds, shape), schedule, options);
  EXPECT_TRUE(latents.back().equal(last));
  return latents;
}

/// Every sampler of the table, with the variants of its options.
struct Case {
  std::string name, sampler;
  int64_t order = 2;
  UniPcVariant unipc = UniPcVariant::bh2;
  DpmVariant dpm = DpmVariant::midpoint;

  SamplerOptions options() const {
    SamplerOptions options;
    options.order = order;
    options.unipc = unipc;
    options.dpm = dpm;
    return options;
  }
};

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const auto& name : sampler_names()) cases.push_back({.name = name, .sampler = name});
  cases.push_back({.name = "unipc1", .sampler = "unipc", .order = 1});
  cases.push_back({.name = "unipc3", .sampler = "unipc", .order = 3});
  cases.push_back({.name = "unipc5", .sampler = "unipc", .order = 5});
  cases.push_back({.name = "unipc_bh1", .sampler = "unipc", .unipc = UniPcVariant::bh1});
  cases.push_back({.name = "dpm2m_heun", .sampler = "dpm++2m", .dpm = DpmVariant::heun});
  cases.push_back({.name = "dpm2m_sde_heun", .sampler = "dpm++2m_sde", .dpm = DpmVariant::heun});
  return cases;
}

TEST(EverySampler, GoesOnBitForBitFromEachStep) {
  for (const auto& c : all_cases()) {
    SCOPED_TRACE(c.name);
    const auto& sampler = find_sampler(c.sampler);
    for (const int64_t steps : {1, 2, 3, 9}) {
      const auto schedule = schedule_of(sampler, steps);
      std::vector<SamplerState> states{{.step = 0, .latents = initial_noise(kSeeds, kShape), .history = {}}};
      auto options = c.options();
      options.noise = seeded_noise(kSeeds, kShape);
      options.on_step = [&](const SamplerState& state, const at::Tensor&) {
        // What is saved must not change when the run goes on.
        auto copy = state;
        copy.latents = state.latents.clone();
        for (auto& tensor : copy.history) tensor = tensor.clone();
        states.push_back(copy);
      };
      const auto denoise = flow_denoiser(schedule, toy_velocity);
      const auto whole = sampler.run(denoise, states[0].latents, schedule, options);
      ASSERT_EQ(static_cast<int64_t>(states.size()), steps + 1);
      const auto saved = states;
      for (const auto& state : saved) {
        auto again = c.options();
        again.noise = seeded_noise(kSeeds, kShape);
        again.resume = state;
        EXPECT_TRUE(sampler.run(denoise, {}, schedule, again).equal(whole)) << steps << " steps, from " << state.step;
      }
    }
  }
}

TEST(EverySampler, GivesTheSameTwiceAndWithAnotherNumberOfThreads) {
  for (const auto& c : all_cases()) {
    SCOPED_TRACE(c.name);
    const auto& sampler = find_sampler(c.sampler);
    const auto schedule = schedule_of(sampler, 4);
    const std::vector<int64_t> large{4, 5, 63, 65};  // more elements than one thread is given
    const int threads = at::get_num_threads();
    at::set_num_threads(1);
    const auto first = run(sampler, schedule, c.options(), large);
    const auto second = run(sampler, schedule, c.options(), large);
    at::set_num_threads(3);
    const auto parallel = run(sampler, schedule, c.options(), large);
    at::set_num_threads(threads);
    for (size_t i = 0; i < first.size(); ++i) {
      EXPECT_TRUE(first[i].equal(second[i])) << i;
      EXPECT_LE((first[i] - parallel[i]).abs().max().item<double>(), 1e-5) << i;
    }
  }
}

TEST(EverySampler, StaysFiniteOnEverySchedule) {
  for (const auto& c : all_cases()) {
    SCOPED_TRACE(c.name);
    const auto& sampler = find_sampler(c.sampler);
    for (const auto& kind : flow_kind_names()) {
      for (const auto& [steps, shift] :
           std::vector<std::pair<int64_t, double>>{{1, 1},
                                                   {2, 1},
                                                   {3, 16},
                                                   {14, 5},
                                                   {15, 5},
                                                   {80, 16},
                                                   {200, sampler.flow_kind == flow_kind(kind) ? 16 : 1}}) {
        const auto latents = run(sampler, prepared(sampler, schedule_of(flow_kind(kind), steps, shift)), c.options());
        ASSERT_EQ(static_cast<int64_t>(latents.size()), steps);
        ASSERT_TRUE(at::isfinite(latents.back()).all().item<bool>()) << kind << " N=" << steps << " s=" << shift;
      }
    }
  }
}

TEST(EverySampler, StaysFiniteOnDuplicateSigmasAndPureNoise) {
  for (const auto& c : all_cases()) {
    SCOPED_TRACE(c.name);
    const auto& sampler = find_sampler(c.sampler);
    for (const std::vector<double>& sigmas : std::vector<std::vector<double>>{
             {1, 1, 1, 0.5}, {1, 0.5}, {1}, {1, 0.9, 0.9, 0.9, 0.4, 0.2, 0.2}, {0.5, 0.5}, {1e-6, 1e-6}}) {
      const auto schedule = prepared(sampler, explicit_schedule(sigmas));
      EXPECT_TRUE(at::isfinite(run(sampler, schedule, c.options()).back()).all().item<bool>()) << sigmas;
    }
  }
}

TEST(EverySampler, EndsInTheLastDenoisedSample) {
  for (const auto& c : all_cases()) {
    if (ends_elsewhere(c.sampler)) continue;
    SCOPED_TRACE(c.name);
    const auto& sampler = find_sampler(c.sampler);
    const auto schedule = schedule_of(sampler, 5);
    auto options = c.options();
    options.noise = seeded_noise(kSeeds, kShape);
    at::Tensor last;
    options.on_step = [&](const SamplerState&, const at::Tensor& denoised) { last = denoised; };
    const auto denoise = flow_denoiser(schedule, toy_velocity);
    const auto end = sampler.run(denoise, initial_noise(kSeeds, kShape), schedule, options);
    EXPECT_LE((end - last).abs().max().item<double>(), 1e-6);
  }
}

TEST(EverySampler, SampleDoesNotDependOnItsPlaceInTheBatch) {
  for (const auto& c : all_cases()) {
    SCOPED_TRACE(c.name);
    const auto& sampler = find_sampler(c.sampler);
    const auto schedule = schedule_of(sampler, 4);
    const auto denoise = flow_denoiser(schedule, toy_velocity);
    const auto sample = [&](const std::vector<uint64_t>& seeds) {
      auto options = c.options();
      options.noise = seeded_noise(seeds, kShape);
      return sampler.run(denoise, initial_noise(seeds, kShape), schedule, options);
    };
    EXPECT_LE((sample({7, 8, 9})[2] - sample({9})[0]).abs().max().item<double>(), 1e-6);
  }
}

TEST(EverySampler, RefusesWhatDoesNotFit) {
  for (const auto& c : all_cases()) {
    SCOPED_TRACE(c.name);
    const auto& sampler = find_sampler(c.sampler);
    const auto schedule = schedule_of(sampler, 4);
    const auto denoise = flow_denoiser(schedule, toy_velocity);
    const auto x = initial_noise(kSeeds, kShape);
    auto options = c.options();
    options.noise = seeded_noise(kSeeds, kShape);

    EXPECT_THROW(sampler.run(denoise, x.to(at::kHalf), schedule, options), Error);
    EXPECT_THROW(sampler.run([](const at::Tensor& y, int64_t) { return y[0]; }, x, schedule, options), Error);
    auto bad = options;
    bad.resume = SamplerState{.step = 5, .latents = x, .history = {}};
    EXPECT_THROW(sampler.run(denoise, x, schedule, bad), Error);
    bad.resume = SamplerState{.step = 2, .latents = x, .history = {x, x, x, x, x, x, x, x}};
    EXPECT_THROW(sampler.run(denoise, x, schedule, bad), Error);
    if (sampler.inner != InnerPoints::none) {
      EXPECT_THROW(sampler.run(denoise, x, schedule_of(sampler.flow_kind, 4, 5), options), Error);
    }
    if (!sampler.stochastic) continue;
    bad = options;
    bad.noise = nullptr;
    EXPECT_THROW(sampler.run(denoise, x, schedule, bad), Error);
  }
}

struct ToyRow {
  const char* sampler;
  FlowKind kind;
  std::vector<double> timesteps, samples;
};

// Made with the official Wan solvers and with diffusers 0.42.1: x = 1, v(x, t) = 0.3 x - 0.7 t / 1000 + 0.1, shift 5.
TEST(Samplers, ToySequences) {
  const std::vector<ToyRow> rows{
      {"unipc",
       FlowKind::wan_unipc,
       {999, 972, 937, 892, 833, 749, 624, 416},
       {1.0083187, 1.0176314, 1.0279709, 1.0395804, 1.0515470, 1.0599044, 1.0484883, 0.9971282}},
      {"unipc",
       FlowKind::diffusers_unipc,
       {999, 972, 937, 893, 833, 750, 625, 418},
       {1.0083043, 1.0176319, 1.0279123, 1.0395657, 1.0514411, 1.0599488, 1.0487592, 0.9976776}},
      {"dpm++2m",
       FlowKind::wan_dpm,
       {1000, 972, 937, 892, 833, 750, 625, 416},
       {1.0083333, 1.0179826, 1.0287417, 1.0406751, 1.0530010, 1.0620105, 1.0512909, 0.9995462}},
      {"euler",
       FlowKind::flow_match_euler,
       {},
       {1.0096230, 1.0210268, 1.0345528, 1.0503061, 1.0670950, 1.0773065, 1.0338661, 1.0242697}},
  };
  for (const auto& row : rows) {
    const auto schedule = schedule_of(row.kind, 8, 5);
    if (!row.timesteps.empty()) {
      EXPECT_EQ(schedule.timesteps, row.timesteps);
    }
    SamplerOptions options;
    options.on_step = [&](const SamplerState& state, const at::Tensor&) {
      EXPECT_NEAR(state.latents.item<double>(), row.samples[state.step - 1], 3.5e-7)
          << row.sampler << " " << name_of(row.kind) << " step " << state.step;
    };
    const auto velocity = [](const at::Tensor& x, double t) { return 0.3 * x - 0.7 * t / 1000 + 0.1; };
    find_sampler(row.sampler).run(flow_denoiser(schedule, velocity), at::full({1, 1}, 1.0f), schedule, options);
  }
}

TEST(Samplers, NoFreshNoiseMakesTheSdeSolverTheOdeSolver) {
  const auto schedule = schedule_of(FlowKind::wan_dpm, 9, 5);
  SamplerOptions options;
  options.eta = 0;
  const auto ode = run(find_sampler("dpm++2m"), schedule);
  const auto sde = run(find_sampler("dpm++2m_sde"), schedule, options);
  EXPECT_TRUE(ode.back().equal(sde.back()));
  options.eta = 1.5;
  EXPECT_THROW(run(find_sampler("dpm++2m_sde"), schedule, options), Error);
}

TEST(Samplers, CallbackMayEndTheRun) {
  const auto schedule = schedule_of(FlowKind::wan_unipc, 9, 5);
  SamplerOptions options;
  int calls = 0;
  options.on_step = [&](const SamplerState& state, const at::Tensor&) {
    ++calls;
    if (state.step == 3) fail(ErrorKind::interrupted, "stopped");
  };
  EXPECT_THROW(sample_unipc(flow_denoiser(schedule, toy_velocity), initial_noise(kSeeds, kShape), schedule, options),
               Error);
  EXPECT_EQ(calls, 3);
}

TEST(Samplers, UnknownNameIsRefusedWithTheNearest) {
  try {
    find_sampler("uni_pcm");
    ADD_FAILURE() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_NE(std::string(error.what()).find("hint: unipc"), std::string::npos) << error.what();
  }
  SamplerOptions options;
  options.order = 0;
  EXPECT_THROW(run(find_sampler("unipc"), schedule_of(FlowKind::wan_unipc, 4, 5), options), Error);
}

}  // namespace
}  // namespace keyflow::schedulers::test
