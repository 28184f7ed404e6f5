#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include <cmath>

#include "schedulers/sampler.h"

// On Gaussian data N(m, s^2) the best denoiser is linear and the flow ODE keeps (x - alpha m) / std fixed, so the error
// of a solver is known exactly and must fall with the power of the step that its order says.
namespace keyflow::schedulers {
namespace {

constexpr double kPlace = 1.3;  // of the sample, in standard deviations
constexpr double kMean = 0.7, kStd = 0.4;
constexpr double kFirst = 0.97, kLast = 0.05;

/// N steps from kFirst to kLast, evenly spread in log(sigma / (1 - sigma)).
Schedule smooth_schedule(int64_t steps) {
  Schedule schedule;
  const auto logit = [](double p) { return std::log(p / (1 - p)); };
  for (int64_t i = 0; i <= steps; ++i) {
    const double at = logit(kFirst) + (logit(kLast) - logit(kFirst)) * static_cast<double>(i) / steps;
    schedule.sigmas.push_back(1 / (1 + std::exp(-at)));
    if (i < steps) schedule.timesteps.push_back(1000 * schedule.sigmas.back());
  }
  return schedule;
}

double spread_at(double sigma) { return std::hypot((1 - sigma) * kStd, sigma); }

/// The absolute error at the end, and that of the corrected sample before the last step where the sampler keeps one.
struct Errors {
  double end, corrected;
};

Errors errors_after(const char* sampler, int64_t steps, SamplerOptions options) {
  const auto schedule = with_inner_points(smooth_schedule(steps), find_sampler(sampler).inner, options.eta.value_or(0),
                                          [](double sigma) { return 1000 * sigma; });
  const Denoiser denoise = [&](const at::Tensor& x, int64_t step) {
    const double sigma = schedule.sigma(step), alpha = 1 - sigma, variance = std::pow(spread_at(sigma), 2);
    return kMean + kStd * kStd * alpha / variance * (x - alpha * kMean);
  };
  const auto exact = [&](int64_t i) {
    const double sigma = schedule.sigmas[i];
    return (1 - sigma) * kMean + kPlace * spread_at(sigma);
  };
  Errors errors{};
  options.on_step = [&](const SamplerState& state, const at::Tensor&) {
    errors.end = std::abs(state.latents.item<double>() - exact(state.step));
    if (!state.history.empty()) {
      errors.corrected = std::abs(state.history[0].item<double>() - exact(state.step - 1));
    }
  };
  find_sampler(sampler).run(denoise, at::tensor({exact(0)}, at::kDouble), schedule, options);
  return errors;
}

/// log2 of the ratio of the errors with N and with 2 N steps.
double observed_order(double coarse, double fine) { return std::log2(coarse / fine); }

TEST(Convergence, OneStepSolversAndDpm) {
  SamplerOptions midpoint, heun;
  heun.dpm = DpmVariant::heun;
  for (const int64_t steps : {64, 128, 256}) {
    const auto order = [&](const char* sampler, const SamplerOptions& options) {
      return observed_order(errors_after(sampler, steps, options).end, errors_after(sampler, 2 * steps, options).end);
    };
    EXPECT_NEAR(order("euler", midpoint), 1.0, 0.1) << steps;
    EXPECT_NEAR(order("heun", midpoint), 2.0, 0.1) << steps;
    EXPECT_NEAR(order("dpm++2m", midpoint), 2.0, 0.1) << steps;
    EXPECT_NEAR(order("dpm++2m", heun), 2.0, 0.1) << steps;
    EXPECT_NEAR(order("res_multistep", midpoint), 2.0, 0.1) << steps;
    EXPECT_NEAR(order("dpm2", midpoint), 2.0, 0.1) << steps;
    EXPECT_NEAR(order("res_2s", midpoint), 2.0, 0.1) << steps;
  }
}

// Without fresh noise the stochastic samplers solve the same equation.
TEST(Convergence, StochasticSamplersWithoutNoise) {
  SamplerOptions still;
  still.eta = 0;
  for (const int64_t steps : {64, 128}) {
    const auto order = [&](const char* sampler) {
      return observed_order(errors_after(sampler, steps, still).end, errors_after(sampler, 2 * steps, still).end);
    };
    EXPECT_NEAR(order("euler_a"), 1.0, 0.1) << steps;
    EXPECT_NEAR(order("ddim"), 1.0, 0.1) << steps;
    EXPECT_NEAR(order("tcd"), 1.0, 0.1) << steps;
    EXPECT_NEAR(order("dpm2_a"), 2.0, 0.1) << steps;
    EXPECT_NEAR(order("dpm++2s_a"), 2.0, 0.1) << steps;
    EXPECT_NEAR(order("dpm++2m_sde"), 2.0, 0.1) << steps;
  }
}

// Their first steps have fewer slopes to go by, which costs them an order in the limit but leaves them below the
// others.
TEST(Convergence, HigherOrderMultistep) {
  SamplerOptions still;
  still.eta = 0;
  for (const int64_t steps : {64, 128}) {
    const auto error = [&](const char* sampler, int64_t n) { return errors_after(sampler, n, still).end; };
    for (const char* sampler : {"dpm++3m", "dpm++3m_sde", "lms"}) {
      EXPECT_GE(observed_order(error(sampler, steps), error(sampler, 2 * steps)), 1.9) << sampler << " " << steps;
      EXPECT_LE(error(sampler, steps), error("dpm++2m", steps)) << sampler << " " << steps;
    }
    EXPECT_GE(observed_order(error("ipndm", steps), error("ipndm", 2 * steps)), 0.9) << steps;
    EXPECT_GE(observed_order(error("pndm", steps), error("pndm", 2 * steps)), 0.9) << steps;
  }
}

// The corrector makes UniPC of order p one of order p + 1. The last step has order 1 and no corrector, so the end is of
// order 2 with a small constant, in which the errors of both parts may cancel: there it is compared with DPM++ instead.
TEST(Convergence, UniPc) {
  struct Row {
    int64_t order;
    UniPcVariant variant;
    int64_t steps;  // from here the leading term rules
  };
  for (const auto& row : {Row{1, UniPcVariant::bh2, 64}, Row{2, UniPcVariant::bh2, 64}, Row{2, UniPcVariant::bh1, 64},
                          Row{3, UniPcVariant::bh2, 256}}) {
    SamplerOptions options;
    options.order = row.order;
    options.unipc = row.variant;
    for (const int64_t steps : {row.steps, 2 * row.steps, 4 * row.steps}) {
      const auto coarse = errors_after("unipc", steps, options), fine = errors_after("unipc", 2 * steps, options);
      EXPECT_NEAR(observed_order(coarse.corrected, fine.corrected), static_cast<double>(row.order) + 1, 0.2)
          << "order " << row.order << " N=" << steps;
      if (row.order == 1) continue;
      EXPECT_LE(fine.end, 0.7 * errors_after("dpm++2m", 2 * steps, {}).end) << "order " << row.order << " N=" << steps;
    }
  }
}

}  // namespace
}  // namespace keyflow::schedulers
