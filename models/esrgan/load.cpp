#include "models/esrgan/load.h"

#include "core/error.h"
#include "models/esrgan/ncnn_graph.h"
#include "weights/plan.h"

namespace keyflow::esrgan {

Contents contents_of(const weights::TensorFile& file) {
  const std::string where = printable(file.path().string(), 400);
  const std::optional<Keys> keys = keys_of(file.tensors());
  require(keys.has_value(), ErrorKind::weights, where,
          ": expected the tensors of an upscaler (ESRGAN, Real-ESRGAN or SRVGG), found none of them");
  const Config config = config_from_tensors(file.tensors(), *keys);
  if (keys->spelling == Keys::Spelling::ncnn) require_graph(file.metadata().at("ncnn"), where, config);
  return {*keys, config};
}

Network load(const std::shared_ptr<const weights::TensorFile>& file, const Compute& compute) {
  const Contents contents = contents_of(*file);
  const auto plan = weights::record([&](const weights::Scope& w) { Network(w, contents.config); });
  plan.require_match(*file, variant_of(contents.config), contents.keys.rename());
  weights::FileSource source(file, contents.keys.rename(), compute.device);
  return Network(weights::Scope(source, compute), contents.config);
}

}  // namespace keyflow::esrgan
