#pragma once
#include <memory>

#include "models/esrgan/network.h"
#include "weights/tensor_file.h"

namespace keyflow::esrgan {

/// What a file holds, by its names and shapes and, of ncnn, by how its layers are joined.
struct Contents {
  Keys keys;
  Config config;
};
/// Throws Error::weights where it holds no upscaler, Error::config, Error::unsupported.
Contents contents_of(const weights::TensorFile& file);

/// Finds the network in a file of any spelling, plans it, compares it with the file's header, and builds it on the
/// file's own memory.
///
/// throws Error::weights: the file holds no upscaler; or every missing, unexpected and misshapen tensor
Network load(const std::shared_ptr<const weights::TensorFile>& file, const Compute& compute);

}  // namespace keyflow::esrgan
