#pragma once
#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "weights/tensor_info.h"

namespace keyflow::t5 {

/// The encoder half of T5 v1.1 and umT5. Defaults are umT5-XXL; names are those of transformers' config.json.
struct EncoderConfig {
  int64_t vocab_size = 256384;
  int64_t d_model = 4096;  ///< width of the residual stream
  int64_t d_kv = 64;       ///< head size
  int64_t num_heads = 64;  ///< num_heads * d_kv need not equal d_model
  int64_t d_ff = 10240;    ///< width inside the gated feed-forward layers
  int64_t num_layers = 24;
  int64_t relative_attention_num_buckets = 32;    ///< even: half of them for keys that stand later
  int64_t relative_attention_max_distance = 128;  ///< from here on all distances share a bucket
  double layer_norm_epsilon = 1e-6;
  bool bias_in_every_layer = true;  ///< umT5: its own table in each layer; T5: the first layer's for all

  /// Throws Error::config with the numbers that contradict each other.
  void validate() const;
};

/// Reads transformers' text_encoder/config.json of a T5 v1.1 or umT5 model. Throws Error::config listing unknown keys,
/// Error::unsupported for a network without gated GELU.
EncoderConfig encoder_config_from_json(const nlohmann::json& json, const std::string& where);

/// The configuration that a checkpoint's names and shapes show, in either spelling. The largest distance and eps leave
/// no trace and keep their published values. Throws Error::weights when the tensors are not those of this network.
EncoderConfig encoder_config_from_tensors(const std::vector<weights::TensorInfo>& tensors);

}  // namespace keyflow::t5
