#pragma once
#include <ATen/core/Tensor.h>

namespace keyflow::schedulers {

/// Classifier-free guidance: uncond + scale (cond - uncond), on outputs or on denoised samples alike.
/// source Ho & Salimans (2207.12598) eq. 6 with w = scale - 1
at::Tensor guided(const at::Tensor& cond, const at::Tensor& uncond, double scale);

/// Pulls the guided output back to the spread of the conditional one, per sample, by the share `rescale` in [0, 1].
/// return rescale (std(cond) / std(guided)) guided + (1 - rescale) guided; a guided output without spread is returned
///        as it is
/// throws Error::usage outside [0, 1]
/// source Lin et al. (2305.08891) eq. 15-16
at::Tensor rescaled_guidance(const at::Tensor& guided, const at::Tensor& cond, double rescale);

}  // namespace keyflow::schedulers
