#pragma once
#include <ATen/core/Tensor.h>

#include <optional>

#include "models/layers/embedding_mlp.h"
#include "models/layers/linear.h"
#include "models/sd/config.h"
#include "weights/scope.h"

namespace keyflow::sd {

/// What some U-Nets are told besides time and text; a tensor stays undefined where the network has no use for it.
struct AddedConditions {
  at::Tensor pooled;    ///< [B, P] pooled text (SDXL)
  at::Tensor time_ids;  ///< [B, K] pixels: height and width of the original, crop top and left, then target height and
                        ///< width (base, K = 6) or the aesthetic score (refiner, K = 5)
  at::Tensor guidance;  ///< [B] guidance scale a distilled network imitates (LCM), 1 or more
};

/// Embeds time, added conditions and guidance in one vector, in float32.
class Conditions {
 public:
  Conditions(const weights::Scope& w, const UNetConfig& config);
  /// timestep [B], 0 to 1000; return [B, time_embed_dim] float32, after the SiLU that every user of it begins with
  /// throws Error::shape, also for a condition missing or not wanted
  at::Tensor operator()(const at::Tensor& timestep, const AddedConditions& added) const;

 private:
  at::Tensor added_vector(int64_t batch, const AddedConditions& added) const;

  UNetConfig config_;
  layers::Linear linear_1, linear_2;
  std::optional<layers::Linear> cond_proj;
  std::optional<layers::EmbeddingMlp> add_embedding;
};

}  // namespace keyflow::sd
