#pragma once
#include <memory>

#include "models/taesd/network.h"
#include "weights/tensor_file.h"

namespace keyflow::taesd {

/// Find the half in a file of either spelling, plan it, compare it with the file's header, and build it on the file's
/// own memory.
///
/// throws Error::weights: the file does not hold this half; or every missing, unexpected and misshapen tensor
Encoder load_encoder(const std::shared_ptr<const weights::TensorFile>& file, const Compute& compute);
Decoder load_decoder(const std::shared_ptr<const weights::TensorFile>& file, const Compute& compute);

}  // namespace keyflow::taesd
