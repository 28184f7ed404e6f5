#pragma once
#include <string>
#include <vector>

#include "weights/plan.h"

namespace keyflow::t5 {

/// The spellings of the encoder's names. The model itself speaks Wan's (models_t5_umt5-xxl-enc-bf16.pth); GGUF files
/// mostly speak llama.cpp's. source ggml-org/llama.cpp gguf-py/gguf/constants.py (gguf 0.19.0)
enum class Spelling { official, transformers, llama_cpp };

struct EncoderKeys {
  Spelling spelling = Spelling::official;
  /// transformers ties two names to the embedding; a file may carry either or both.
  std::string embedding = "shared.weight";
  /// Where the encoder is a part of a whole checkpoint: "text_encoders.t5xxl.transformer." in SD3's.
  std::string prefix = {};

  /// Model name -> file name.
  weights::Rename rename() const;
  /// Tensors of the file that the model rightly leaves alone.
  weights::Ignore ignore() const;
};

/// What the names of a file show; official where they show nothing.
EncoderKeys encoder_keys(const std::vector<weights::TensorInfo>& tensors);

}  // namespace keyflow::t5
