#pragma once
#include <map>
#include <optional>
#include <string>

#include "weights/tensor_file.h"

namespace keyflow::weights {

/// alpha / rank of a LoRA file's layers where the tensors do not say: PEFT writes alpha into adapter_config.json beside
/// its adapter_model file, diffusers into the safetensors' metadata ("lora_adapter_metadata"). Without either alpha is
/// the rank.
class LoraScales {
 public:
  /// throws Error::config for a config that does not parse or asks for what keyflow does not do
  explicit LoraScales(const TensorFile& file);

  /// layer  as the file spells it
  /// rank   0 where both factors of a Kronecker product are whole, which LyCORIS leaves unscaled
  /// alpha  of the file's own tensor; goes before everything else
  double operator()(const std::string& layer, int64_t rank, std::optional<double> alpha) const;

 private:
  /// One network's settings.
  struct Rule {
    double alpha = 0, rank = 0;
    bool root_of_rank = false;               ///< rank-stabilised (2312.03732): alpha / sqrt(rank)
    std::map<std::string, double> alpha_of;  ///< by end of the layer's name
  };

  std::map<std::string, Rule> rules_;  // by beginning of the layer's name; "" for all
};

}  // namespace keyflow::weights
