#include "models/sd/prediction_type.h"

#include "core/error.h"
#include "models/sd/keys.h"
#include "models/sd/variant.h"

namespace keyflow::sd {
namespace {

/// Above this the bias is that of a network trained for v.
constexpr double kSpread = 0.09;

bool bias_is_spread(const weights::TensorFile& file, const UNetConfig& config) {
  const std::string name = c10::str("up_blocks.", config.levels() - 1, ".attentions.", config.layers_per_block,
                                    ".transformer_blocks.0.norm1.bias");
  const std::string in_file = unet_keys(file.tensors()).rename()(name).name;
  if (!file.find(in_file)) return false;
  return file.read(in_file).to(at::kFloat).std(/*unbiased=*/false).item<double>() > kSpread;
}

}  // namespace

Prediction prediction_of(const weights::TensorFile& file, const UNetConfig& config) {
  const auto has = [&](const char* name) { return file.find(name) != nullptr; };
  const auto stated = file.metadata().find("modelspec.prediction_type");
  const std::string where = printable(file.path().string(), 400);
  require(!has("edm_mean") && !has("edm_vpred.sigma_max"), ErrorKind::unsupported, where,
          ": expected a U-Net that predicts epsilon or v, found one trained in the EDM way");
  Prediction prediction{PredictionType::epsilon, has("ztsnr")};
  if (stated != file.metadata().end()) {
    const std::string& type = stated->second;
    const bool v = type == "v" || type == "v_prediction";
    require(v || type == "epsilon" || type == "eps", ErrorKind::unsupported, where,
            ": modelspec.prediction_type: expected epsilon or v, found ", printable(type));
    if (v) prediction.type = PredictionType::v_prediction;
    return prediction;
  }
  const Variant variant = variant_of(config);
  const bool v =
      has("v_pred") || (variant.line == Line::sd2 && variant.input == Input::plain && bias_is_spread(file, config));
  if (v) prediction.type = PredictionType::v_prediction;
  return prediction;
}

}  // namespace keyflow::sd
