#pragma once
#include <ATen/core/Tensor.h>

#include <memory>
#include <vector>

#include "models/layers/linear.h"
#include "models/layers/norm.h"
#include "models/t5/config.h"
#include "weights/overlay.h"
#include "weights/scope.h"
#include "weights/tensor_file.h"

namespace keyflow::t5 {

/// The row of the bias table for a key at distance d = key - query: the sign chooses the half, small distances have a
/// row each, larger ones share rows on a logarithmic scale. source T5 (1910.10683) §2.1; Wan2.1
/// wan/modules/t5.py@9737cba
int64_t relative_bucket(int64_t distance, const EncoderConfig& config);

/// T5's and umT5's encoder: no scaling of the scores, no biases, gated GELU, RMS norms in float32.
/// source Wan2.1 wan/modules/t5.py@9737cba T5Encoder
class Encoder {
 public:
  /// Asks `w` for the weights by Wan's names; keys.h maps transformers'.
  Encoder(const weights::Scope& w, const EncoderConfig& config);

  /// ids   [B, L] int64, below vocab_size
  /// mask  [B, L] bool, false where a key is padding; undefined for none
  /// return [B, L, d_model] float32; rows of padding hold values without meaning
  /// throws Error::shape; Error::usage for an id outside the vocabulary
  at::Tensor operator()(const at::Tensor& ids, const at::Tensor& mask = {}) const;

  const EncoderConfig& config() const { return config_; }

 private:
  struct Layer {
    Layer(const weights::Scope& w, const EncoderConfig& config, bool has_bias);
    layers::RmsNorm norm1;
    layers::Linear q, k, v, o;
    at::Tensor bias;  // [buckets, N], or undefined
    layers::RmsNorm norm2;
    layers::Linear gate, fc1, fc2;
  };
  at::Tensor position_bias(const at::Tensor& table, int64_t length) const;

  EncoderConfig config_;
  at::ScalarType attention_type_;
  layers::Weight token_embedding_;  // [V, C] as the file has it: only the rows of a prompt are read
  std::vector<Layer> blocks;
  layers::RmsNorm norm;
};

/// Plans the network, compares it with the file's header, and builds it on the file's own memory. `lora` is what LoRA
/// files change, matched by lora_names().
/// throws Error::weights listing every missing, unexpected and misshapen tensor
Encoder load_encoder(const std::shared_ptr<const weights::TensorFile>& file, const EncoderConfig& config,
                     const Compute& compute, const weights::Overlay& lora = {});

}  // namespace keyflow::t5
