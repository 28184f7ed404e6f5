#pragma once
#include <memory>

#include "weights/tensor_file.h"

namespace keyflow::weights {

/// Takes up the scales of checkpoints of 8-bit floats (F8_E4M3, F8_E5M2), so that `p.weight` reads as the file's values
/// times its scale, float32, and the tensors about scales are gone from the list. A file without 8-bit floats, and one
/// whose 8-bit floats have no scales, is returned as it is.
///
/// Beside `p.weight` in 8-bit floats: `p.scale_weight` or `p.weight_scale`, a float tensor of one value or of one value
/// a row ([out] or [out, 1]); `p.scale_input` or `p.input_scale`, for products in 8 bits, has no part in this; so has
/// `p.comfy_quant`, JSON whose "format" must be float8_e4m3fn or float8_e5m2. `scaled_fp8`, with or without a prefix,
/// marks such a file. Other tensors keep their names and are then unexpected to every network (Plan::compare).
///
/// throws  Error::weights for a scale of another shape or type, or not finite; for 8-bit floats of two or more
///         dimensions without a scale in a file where others have one or that is marked
/// source  Comfy-Org/ComfyUI comfy/ops.py and comfy/utils.py; pytorch/ao float8 checkpoints
std::shared_ptr<TensorFile> with_float_scales(std::shared_ptr<TensorFile> file);

}  // namespace keyflow::weights
