#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "schedulers/schedule.h"

namespace keyflow::schedulers {

/// Whose list of flow-matching sigmas. They differ in the base list, in the clamps and in the rounding of the times.
enum class FlowKind {
  wan_unipc,         ///< official Wan with UniPC: starts at S(0.999), integer times
  wan_dpm,           ///< official Wan with DPM++: starts at 1, integer times
  diffusers_unipc,   ///< diffusers UniPCMultistep with use_flow_sigmas: starts at 1 - 1e-6, integer times
  diffusers_dpm,     ///< diffusers DPMSolverMultistep with use_flow_sigmas: starts at S(0.999), integer times
  flow_match_euler,  ///< diffusers FlowMatchEulerDiscrete: the smallest sigma is shifted twice, exact times
  few_step,          ///< LightX2V's distilled models: entries of a 1000-step table, exact times
};

/// A second law laid between the first and the last sigma of the shifted list.
enum class Spacing { as_shifted, karras, exponential, beta };

/// Dynamic shifting replaces the shift by a function of mu (which pipelines derive from the number of tokens).
enum class DynamicShift { off, exponential, linear };

/// What a flow schedule depends on besides its kind.
struct FlowScheduleOptions {
  int64_t steps = 50;  ///< 1 .. 10000
  double shift = 5.0;  ///< S(sigma) = shift sigma / (1 + (shift - 1) sigma); finite, > 0
  Spacing spacing = Spacing::as_shifted;
  DynamicShift dynamic = DynamicShift::off;
  double mu = 0.0;                       ///< read when dynamic is on; the linear form needs mu > 0
  std::optional<double> shift_terminal;  ///< stretches the list so that its last sigma before 0 is this, in (0, 1)
  std::vector<double> sigmas;            ///< replaces the base list (before shifting); then `steps` is its length
  std::vector<int64_t> few_steps;        ///< few_step: the times of the table, 1..1000, falling; empty = evenly spread
};

/// The sigmas and the model's times of one run.
///
/// return S+1 sigmas ending in 0 and S times; both rounded to float32 where the source does
/// throws Error::usage for a value out of range or a combination that the source does not define
/// source Wan2.1 wan/utils/fm_solvers{,_unipc}.py@9737cba; diffusers 0.42.1 schedulers/scheduling_{unipc_multistep,
///        dpmsolver_multistep,flow_match_euler_discrete}.py; LightX2V@f8aee98 (few_step)
Schedule flow_schedule(FlowKind kind, const FlowScheduleOptions& options);

/// S(sigma) of the options, or its dynamic form.
double shifted_sigma(double sigma, const FlowScheduleOptions& options);

/// The given sigmas as they are, times 1000 sigma; a last 0 is added when missing. Throws Error::usage.
Schedule explicit_schedule(std::vector<double> sigmas);

/// FLUX's mu for a picture of `tokens` tokens: the line through (base_tokens, base_shift) and (max_tokens, max_shift).
/// source diffusers 0.42.1 pipelines/flux/pipeline_flux.py calculate_shift
double dynamic_mu(int64_t tokens, double base_shift = 0.5, double max_shift = 1.15, int64_t base_tokens = 256,
                  int64_t max_tokens = 4096);

/// "wan_unipc" ... and back; an unknown name throws Error::usage with the nearest one.
std::string_view name_of(FlowKind kind);
std::string_view name_of(Spacing spacing);
FlowKind flow_kind(std::string_view name);
Spacing spacing(std::string_view name);
std::vector<std::string> flow_kind_names();
std::vector<std::string> spacing_names();

}  // namespace keyflow::schedulers
