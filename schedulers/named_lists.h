#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace keyflow::schedulers {

/// Lists that are laid over any model's 1000 noise levels, as k-diffusion and the programs built on it name them.
enum class NamedList {
  discrete,      ///< even positions, both ends included ("normal")
  simple,        ///< even positions counted down from the noisiest level
  sgm_uniform,   ///< even positions without the last one
  ddim_uniform,  ///< multiples of 1000 / S, plus 1
  smoothstep,    ///< denser at both ends
  lcm,           ///< out of the 50 distillation steps
  kl_optimal,    ///< even in atan(sigma)
  ays_sd1,       ///< Align Your Steps for Stable Diffusion 1
  ays_sdxl,      ///< ... XL
  ays_svd,       ///< ... Video
};

/// The positions among the levels, 0 (cleanest) .. 999, falling; empty for a list that is given by its sigmas.
///
/// source stable-diffusion.cpp denoiser.hpp@04c009f; ComfyUI comfy/samplers.py (ddim_uniform, always S of them here)
std::vector<double> listed_positions(NamedList list, int64_t steps);

/// The sigmas of the other lists, falling, without the last 0.
///
/// most, least  the noisiest and the cleanest level
/// source Sabour et al. (2404.14507) app. (AYS, interpolated in log sigma) and eq. of the KL-optimal schedule
std::vector<double> listed_sigmas(NamedList list, int64_t steps, double most, double least);

/// The list of that name or nothing.
bool find_named_list(std::string_view name, NamedList& list);
std::vector<std::string> named_list_names();

}  // namespace keyflow::schedulers
