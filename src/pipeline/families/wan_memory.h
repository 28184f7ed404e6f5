#pragma once
#include <map>

#include "models/wan/config.h"
#include "models/wan/vae.h"
#include "pipeline/model.h"

namespace keyflow::pipeline {

/// See Model::estimate_memory. Networks that are absent are taken to lie in the mapping as a whole.
MemoryEstimate estimate_wan_memory(const wan::TransformerConfig& dit, const wan::VaeConfig& vae,
                                   const std::map<models::Part, Network>& networks, const RenderSettings& settings,
                                   const Compute& compute, int64_t longest_segment, int64_t tile);

}  // namespace keyflow::pipeline
