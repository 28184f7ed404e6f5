#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "schedulers/flow_schedule.h"
#include "schedulers/named_lists.h"
#include "schedulers/prediction.h"
#include "schedulers/sampler.h"
#include "schedulers/vp_schedule.h"

namespace keyflow::schedulers {

/// How a model wants to be sampled: what its scheduler_config.json says. The noise path follows from the prediction:
/// flow models read the fields of the second group, variance-preserving ones those of the third.
struct ModelSchedule {
  std::string sampler = "euler";                ///< the model's own, a name of the table of samplers
  Prediction prediction = Prediction::epsilon;  ///< of the network
  Spacing spacing = Spacing::as_shifted;        ///< "use_karras_sigmas" and its like
  int64_t order = 2;                            ///< "solver_order" of UniPC
  UniPcVariant unipc = UniPcVariant::bh2;       ///< "solver_type" of UniPC
  DpmVariant dpm = DpmVariant::midpoint;        ///< "solver_type" of DPM-Solver++
  std::vector<int64_t> disable_corrector;       ///< UniPC
  int64_t distillation_steps = 50;              ///< "original_inference_steps" of LCM and TCD
  NamedList ays = NamedList::ays_sd1;           ///< what schedule "ays" means (not in the file)

  std::optional<FlowKind> flow_kind = FlowKind::flow_match_euler;  ///< whose list; empty: each sampler's (Wan's own)
  double shift = 1.0;
  DynamicShift dynamic = DynamicShift::off;  ///< then the shift follows from the number of tokens
  double base_shift = 0.5, max_shift = 1.15;
  int64_t base_tokens = 256, max_tokens = 4096;
  std::optional<double> shift_terminal;
  bool even_sigmas = false;  ///< before the shift the list is 1 ... 1/S, as FLUX's pipeline wants (not in the file)

  Betas betas;
  std::optional<TimeSpacing> times;  ///< empty: each sampler's usual one, as in diffusers
  int64_t steps_offset = 0;
  std::optional<bool> set_alpha_to_one;  ///< where DDIM and PNDM end; empty: each one's usual way
  bool end_at_zero = true;               ///< where the others end: final_sigmas_type "zero", not "sigma_min"
  bool log_linear = false;               ///< interpolation_type "log_linear" of Euler

  bool is_flow() const { return prediction == Prediction::flow; }
};

/// What one render asks of a model's schedule.
struct ScheduleRequest {
  std::string sampler = "auto";  ///< auto: the model's own; else any name that find_sampler takes
  std::string schedule =
      "auto";                   ///< auto: the model's own, or what the sampler's name implies; else a schedule_names()
  int64_t steps = 25;           ///< of the whole list, before `strength` leaves some out
  std::optional<double> shift;  ///< flow: this static shift instead of the model's, dynamic or not
  int64_t tokens = 0;           ///< flow with dynamic shift: tokens of a picture (after patching), > 0
  std::vector<double> sigmas;   ///< the list as it is (flow: sigma; else noise over data); a last 0 is added
  std::vector<double> timesteps;  ///< or the model's times as they are (0 .. 999, flow: 1000 sigma), falling
  double strength = 1.0;          ///< picture to picture: the share of the steps that is done, [0, 1]
  std::optional<double> eta;      ///< the same as SamplerOptions::eta: the lists of some samplers hang on it
};

/// The sampler of a request: its own or the model's. Throws Error::usage for an unknown name.
const SamplerEntry& sampler_of(const ModelSchedule& model, const ScheduleRequest& request);

/// The options that the model's file sets for the sampler (order, variant) and the request's eta; the rest is empty.
SamplerOptions sampler_options(const ModelSchedule& model, const ScheduleRequest& request);

/// The list that a request walks over. The denoiser is asked at indices for Schedule::timestep and Schedule::sigma,
/// which with samplers of two evaluations also lie past the steps. The first noise is to be scaled by start_spread.
///
/// throws Error::usage for unknown names, values out of range and combinations that nobody defines, and when `strength`
///        leaves no step (see first_step)
/// source diffusers 0.42.1 schedulers/scheduling_*.py set_timesteps
Schedule make_schedule(const ModelSchedule& model, const ScheduleRequest& request);

/// How many steps `strength` leaves out at the start: 0 at 1, `steps` at 0 (nothing is left to do). PNDM's list goes on
/// as it does in diffusers, where its doubled first time shifts what is left by one.
/// source diffusers 0.42.1 pipelines/stable_diffusion/pipeline_stable_diffusion_img2img.py and
///        pipelines/stable_diffusion_3/pipeline_stable_diffusion_3_img2img.py get_timesteps: they round differently
int64_t first_step(const ModelSchedule& model, int64_t steps, double strength);

/// "auto", "leading", "karras", ... : all that ScheduleRequest::schedule takes, besides other spellings of them.
std::vector<std::string> schedule_names();

}  // namespace keyflow::schedulers
