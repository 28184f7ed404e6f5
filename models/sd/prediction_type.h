#pragma once
#include "models/sd/config.h"
#include "weights/tensor_file.h"

namespace keyflow::sd {

/// What a U-Net was trained to return.
enum class PredictionType { epsilon, v_prediction };

struct Prediction {
  PredictionType type = PredictionType::epsilon;
  bool zero_terminal_snr = false;  ///< trained on noise levels rescaled so that the last one is pure noise
};

/// What a single file tells about it; a folder's scheduler_config.json knows better. In this order:
/// the file's own statement (modelspec.prediction_type), the marks v_pred and ztsnr that some SDXL trainers leave as
/// tensors, and for SD2 without picture input the spread of one bias, which training for v widened.
///
/// throws  Error::unsupported for a U-Net trained in the EDM way, or a statement that is neither
/// source  ComfyUI comfy/supported_models.py@a125cd8 SD20.model_type, SDXL.model_type; ModelSpec 1.0.1
Prediction prediction_of(const weights::TensorFile& file, const UNetConfig& config);

}  // namespace keyflow::sd
