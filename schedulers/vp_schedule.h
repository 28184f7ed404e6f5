#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "schedulers/flow_schedule.h"
#include "schedulers/schedule.h"

namespace keyflow::schedulers {

/// How the noise added per training step grows.
enum class BetaLaw { linear, scaled_linear, squaredcos };

/// The training noise of a variance-preserving model (Stable Diffusion, Ruyi): 1000 steps.
struct Betas {
  BetaLaw law = BetaLaw::linear;
  double first = 0.0001;  ///< 0 < first <= last < 1; not read by squaredcos
  double last = 0.02;
  bool zero_terminal_snr = false;  ///< rescaled so that the last step is pure noise
};

/// Noise over data, sqrt((1 - abar) / abar), for each of the 1000 training steps, in float32; rises.
/// source Rombach et al. (2112.10752); Nichol & Dhariwal (2102.09672) eq. 17; Lin et al. (2305.08891) alg. 1
std::vector<double> vp_sigma_table(const Betas& betas);

/// The table between its entries: linear in sigma as in diffusers, or in log sigma as in k-diffusion.
double sigma_at_time(const std::vector<double>& table, double time);
double log_sigma_at_time(const std::vector<double>& table, double time);

/// The time whose sigma this is, linear in log sigma between the table's entries, clamped to its ends.
double time_at_sigma(const std::vector<double>& table, double sigma);

/// Whose list of variance-preserving times and sigmas.
enum class VpKind {
  ddim,       ///< diffusers DDIM: path vp, integer times
  euler,      ///< diffusers EulerDiscrete (and ancestral): path ve, exact times
  multistep,  ///< diffusers DPMSolverMultistep and UniPCMultistep: path vp, integer times
  lcm,        ///< diffusers LCM and TCD: path vp, integer times out of the distillation steps
};

/// Which training times a list of N takes.
enum class TimeSpacing { linspace, leading, trailing };

/// What a VP schedule depends on besides its kind.
struct VpScheduleOptions {
  int64_t steps = 25;  ///< 1 .. 1000; lcm: at most distillation_steps
  Betas betas;
  TimeSpacing times = TimeSpacing::leading;  ///< not read by lcm
  int64_t steps_offset = 0;                  ///< added by leading; 0 or 1
  Spacing spacing = Spacing::as_shifted;     ///< euler and multistep
  bool end_at_zero = true;                   ///< false: at the first training step ("sigma_min", set_alpha_to_one off)
  int64_t distillation_steps = 50;           ///< lcm: evenly spread over the 1000, 1 .. 1000
};

/// The sigmas (noise over data) and the model's times of one run; its path is ve for euler, else vp.
///
/// return S+1 sigmas in float32 and S times; ddim fills `landings`; euler fills `start_spread`
/// throws Error::usage for a value out of range or a combination that the source does not define
/// source diffusers 0.42.1 schedulers/scheduling_{ddim,euler_discrete,dpmsolver_multistep,unipc_multistep,lcm,tcd}.py
Schedule vp_schedule(VpKind kind, const VpScheduleOptions& options);

}  // namespace keyflow::schedulers
