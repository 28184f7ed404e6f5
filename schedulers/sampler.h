#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "schedulers/flow_schedule.h"
#include "schedulers/inner_points.h"
#include "schedulers/schedule.h"
#include "schedulers/vp_schedule.h"

namespace keyflow::schedulers {

/// The clean sample that the guided model expects behind x, which stands at schedule.sigma(step); the model's own time
/// is schedule.timestep(step). Heun and PNDM also ask for step + 1, samplers with inner points for
/// schedule.inner(step). Takes and gives float32 of one shape.
using Denoiser = std::function<at::Tensor(const at::Tensor& x, int64_t step)>;

/// Standard normal noise for a step, shaped as the latents; the same numbers whenever the same step is asked for.
using StepNoise = std::function<at::Tensor(int64_t step)>;

/// All that a run needs to go on exactly: saved and given back, the rest of the run is the same bit for bit.
struct SamplerState {
  int64_t step = 0;                 ///< steps done, which is also the index of the next one
  at::Tensor latents;               ///< float32
  std::vector<at::Tensor> history;  ///< what the sampler remembers, in an order of its own; shaped as the latents
};

/// Called after every step with the state that the next step starts from and the step's denoised estimate. The tensors
/// are never written to later: keeping them needs no copy. May throw to end the run.
using StepCallback = std::function<void(const SamplerState& state, const at::Tensor& denoised)>;

/// The two choices of B(h) in UniPC.
enum class UniPcVariant { bh1, bh2 };

/// How the second-order term of DPM++ is weighted.
enum class DpmVariant { midpoint, heun };

/// What a sampler may need besides model, sample and schedule; each reads only its own fields.
struct SamplerOptions {
  int64_t order = 2;                       ///< unipc: 1 .. 5
  UniPcVariant unipc = UniPcVariant::bh2;  ///< unipc
  bool averages_velocity = false;          ///< pndm on the vp path: averages velocities, as for models that give them
  std::vector<int64_t> disable_corrector;  ///< unipc: steps after which the corrector is left out
  DpmVariant dpm = DpmVariant::midpoint;   ///< dpm++2m, dpm++2m_sde, dpm++3m
  std::optional<double> eta;  ///< share of fresh noise, [0, 1]; empty: 0 for ddim, 0.3 for tcd, 1 for the others
  StepNoise noise;            ///< stochastic samplers need it
  StepCallback on_step;       ///< may be empty
  std::optional<SamplerState> resume;  ///< go on from here; then `x` is not read
};

/// A sampler takes x at sigmas[0] to the end of the schedule. It keeps nothing after the call.
///
/// denoise  see Denoiser
/// x        the noised sample, float32 [B, ...]
/// return   the sample at the last sigma, float32
/// throws Error::usage for options out of range, Error::shape for a denoiser or a saved state of another shape
using Sampler = at::Tensor (*)(const Denoiser& denoise, const at::Tensor& x, const Schedule& schedule,
                               const SamplerOptions& options);

/// Euler's method on the probability-flow ODE; on the flow path x + (sigma' - sigma) v, on vp the same as DDIM.
/// source Karras et al. (2206.00364) alg. 1 without churn; Song et al. (2010.02502) eq. 12 with sigma = 0
at::Tensor sample_euler(const Denoiser& denoise, const at::Tensor& x, const Schedule& schedule,
                        const SamplerOptions& options = {});

/// A step of the deterministic kind that ends at less noise than wanted, filled up with fresh noise: eta = 1 is the
/// ancestral sampler, on the vp path it is DDIM with that eta. Needs no noise when eta is 0.
/// source Song et al. (2010.02502) eq. 12 and 16; k-diffusion k_diffusion/sampling.py get_ancestral_step
at::Tensor sample_euler_a(const Denoiser& denoise, const at::Tensor& x, const Schedule& schedule,
                          const SamplerOptions& options = {});

/// sample_euler_a with eta 0 unless told otherwise, ending its steps at the schedule's landings.
/// source Song et al. (2010.02502); diffusers 0.42.1 scheduling_ddim.py without clipping
at::Tensor sample_ddim(const Denoiser& denoise, const at::Tensor& x, const Schedule& schedule,
                       const SamplerOptions& options = {});

/// Heun's second-order method: two evaluations a step, one on the last.
/// source Karras et al. (2206.00364) alg. 1; diffusers 0.42.1 scheduling_{heun,flow_match_heun}_discrete.py
at::Tensor sample_heun(const Denoiser& denoise, const at::Tensor& x, const Schedule& schedule,
                       const SamplerOptions& options = {});

/// UniPC with predictor and corrector in the denoised sample, warming up from order 1 and ending at it.
/// source Zhao et al. (2302.04867) alg. 5-8; Wan2.1 wan/utils/fm_solvers_unipc.py@9737cba
at::Tensor sample_unipc(const Denoiser& denoise, const at::Tensor& x, const Schedule& schedule,
                        const SamplerOptions& options = {});

/// DPM-Solver++ (2M).
/// source Lu et al. (2211.01095) alg. 2; Wan2.1 wan/utils/fm_solvers.py@9737cba
at::Tensor sample_dpmpp_2m(const Denoiser& denoise, const at::Tensor& x, const Schedule& schedule,
                           const SamplerOptions& options = {});

/// DPM-Solver++ (2M) with fresh noise in every step.
/// source Lu et al. (2211.01095) app. SDE-DPM-Solver++(2M); diffusers 0.42.1 scheduling_dpmsolver_multistep.py
at::Tensor sample_dpmpp_2m_sde(const Denoiser& denoise, const at::Tensor& x, const Schedule& schedule,
                               const SamplerOptions& options = {});

/// DPM-Solver++ (3M).
/// source Lu et al. (2211.01095), third-order multistep; diffusers 0.42.1 scheduling_dpmsolver_multistep.py
at::Tensor sample_dpmpp_3m(const Denoiser& denoise, const at::Tensor& x, const Schedule& schedule,
                           const SamplerOptions& options = {});

/// DPM-Solver++ (3M) with fresh noise in every step. diffusers 0.42.1 gives its third-order term another sign.
/// source k-diffusion k_diffusion/sampling.py sample_dpmpp_3m_sde
at::Tensor sample_dpmpp_3m_sde(const Denoiser& denoise, const at::Tensor& x, const Schedule& schedule,
                               const SamplerOptions& options = {});

/// The exponential multistep solver of order 2: DPM-Solver++ (2M) with the exact weight of its second term.
/// source Zhang et al. (2308.02157) eq. 15 with the exact phi functions
at::Tensor sample_res_multistep(const Denoiser& denoise, const at::Tensor& x, const Schedule& schedule,
                                const SamplerOptions& options = {});

/// DPM2: the midpoint method in the listed sigma, two evaluations a step. Needs InnerPoints::half_log_sigma.
/// source Karras et al. (2206.00364) alg. 2 without churn; diffusers 0.42.1 scheduling_k_dpm_2_discrete.py
at::Tensor sample_dpm2(const Denoiser& denoise, const at::Tensor& x, const Schedule& schedule,
                       const SamplerOptions& options = {});

/// DPM2 down to less noise than wanted, filled up with fresh noise. Its inner points hang on eta.
/// source diffusers 0.42.1 scheduling_k_dpm_2_ancestral_discrete.py
at::Tensor sample_dpm2_a(const Denoiser& denoise, const at::Tensor& x, const Schedule& schedule,
                         const SamplerOptions& options = {});

/// DPM-Solver++ (2S), ancestral: two evaluations a step. Needs InnerPoints::half_lambda, which hang on eta.
/// source Lu et al. (2211.01095) alg. 1; k-diffusion k_diffusion/sampling.py sample_dpmpp_2s_ancestral
at::Tensor sample_dpmpp_2s_a(const Denoiser& denoise, const at::Tensor& x, const Schedule& schedule,
                             const SamplerOptions& options = {});

/// The exponential Runge-Kutta method of order 2 with its inner point halfway in lambda, without fresh noise.
/// source Zhang et al. (2308.02157) eq. 12 with c = 1/2
at::Tensor sample_res_2s(const Denoiser& denoise, const at::Tensor& x, const Schedule& schedule,
                         const SamplerOptions& options = {});

/// Adams-Bashforth of order up to 4 in the listed sigma, weighted for where the sigmas stand.
/// source k-diffusion k_diffusion/sampling.py sample_lms; diffusers 0.42.1 scheduling_lms_discrete.py
at::Tensor sample_lms(const Denoiser& denoise, const at::Tensor& x, const Schedule& schedule,
                      const SamplerOptions& options = {});

/// Adams-Bashforth of order up to 4 in the listed sigma, weighted as if the steps were even.
/// source Zhang & Chen (2204.13902) app. iPNDM
at::Tensor sample_ipndm(const Denoiser& denoise, const at::Tensor& x, const Schedule& schedule,
                        const SamplerOptions& options = {});

/// PNDM in its PLMS form: ipndm whose first step is done twice (as Heun's), ending its steps at the landings.
/// source Liu et al. (2202.09778) eq. 9, 12; diffusers 0.42.1 scheduling_pndm.py with skip_prk_steps
at::Tensor sample_pndm(const Denoiser& denoise, const at::Tensor& x, const Schedule& schedule,
                       const SamplerOptions& options = {});

/// Trajectory consistency: goes on to the landing, which has less noise than wanted, and adds fresh noise. Without
/// landings that is (1 - eta) times the next sigma.
/// source Zheng et al. (2402.19159) alg. 4 (eta is its gamma); diffusers 0.42.1 scheduling_tcd.py
at::Tensor sample_tcd(const Denoiser& denoise, const at::Tensor& x, const Schedule& schedule,
                      const SamplerOptions& options = {});

/// Jumps to the denoised sample and adds fresh noise of the next level, as distilled consistency models want it.
/// source diffusers 0.42.1 scheduling_flow_match_euler_discrete.py (stochastic_sampling)
at::Tensor sample_lcm(const Denoiser& denoise, const at::Tensor& x, const Schedule& schedule,
                      const SamplerOptions& options = {});

/// One line of the table of samplers.
struct SamplerEntry {
  std::string_view name;
  Sampler run;
  FlowKind flow_kind;  ///< the list it is used with on a flow model when nobody says otherwise
  VpKind vp_kind;      ///< the same on a variance-preserving model
  bool stochastic;     ///< needs SamplerOptions::noise
  std::string_view about;
  InnerPoints inner = InnerPoints::none;  ///< that its schedules must have
  double eta = 0.0;                       ///< usual share of fresh noise
};

/// The eta of a sampler nobody set one for.
constexpr double kTcdEta = 0.3;

/// A sampler asked for by a name of the field, and the schedule that the name also asks for ("" mostly): "DPM++ 2M
/// Karras" of web interfaces, ddim_trailing of command lines.
struct NamedSampler {
  const SamplerEntry* sampler;
  std::string schedule;
};

/// The sampler of that name: unipc, euler, dpm++2m, ... in any of the usual spellings (dpmpp_2m, k_euler, "Euler a",
/// plms, euler_ancestral); an unknown name throws Error::usage with the nearest one.
const SamplerEntry& find_sampler(std::string_view name);
NamedSampler find_named_sampler(std::string_view name);
std::vector<std::string> sampler_names();

/// Whose numbers the noise is made of.
enum class NoiseKind {
  cpu,   ///< torch's CPU generator, as diffusers and ComfyUI draw it
  cuda,  ///< torch's CUDA generator (core/philox.h), as web interfaces draw it
};
/// "cpu" or "cuda"; another word throws Error::usage.
NoiseKind noise_kind(std::string_view name);

/// Noise of a batch with one generator per sample: its first draw is initial_noise, also seeded_noise(...)(-1), draw 2
/// belongs to step 0, draw 3 to step 1 and so on; `draws_before` of them, of the same shape, were made for other ends
/// before. A sample's noise depends neither on its place in the batch nor on where a run was resumed, and for one
/// sample it is what diffusers draws from torch.Generator("cpu").manual_seed(seed).
///
/// seeds   [B]
/// shape   of one sample, without B; return [B, shape...], float32 on the CPU
at::Tensor initial_noise(const std::vector<uint64_t>& seeds, at::IntArrayRef shape);
StepNoise seeded_noise(const std::vector<uint64_t>& seeds, at::IntArrayRef shape, int64_t draws_before = 0,
                       NoiseKind kind = NoiseKind::cpu);

}  // namespace keyflow::schedulers
