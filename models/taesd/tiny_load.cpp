#include "models/taesd/tiny_load.h"

#include "core/error.h"
#include "weights/plan.h"

namespace keyflow::taesd {
namespace {

template <class Network>
Network load(const std::shared_ptr<const weights::TensorFile>& file, Half half, const Compute& compute) {
  const std::optional<TinyKeys> keys = tiny_keys(file->tensors(), half);
  require(keys.has_value(), ErrorKind::weights, printable(file->path().string(), 400), ": expected the ", name_of(half),
          " of a tiny autoencoder, found none of its tensors");
  const TinyConfig config = tiny_config_from_tensors(file->tensors(), *keys);
  const auto plan = weights::record([&](const weights::Scope& w) { Network(w, config); });
  plan.require_match(*file, c10::str("the tiny autoencoder's ", name_of(half)), keys->rename(), keys->ignore());
  weights::FileSource source(file, keys->rename(), compute.device);
  return Network(weights::Scope(source, compute), config);
}

}  // namespace

Encoder load_encoder(const std::shared_ptr<const weights::TensorFile>& file, const Compute& compute) {
  return load<Encoder>(file, Half::encoder, compute);
}

Decoder load_decoder(const std::shared_ptr<const weights::TensorFile>& file, const Compute& compute) {
  return load<Decoder>(file, Half::decoder, compute);
}

}  // namespace keyflow::taesd
