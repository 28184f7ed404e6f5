#pragma once
#include <memory>
#include <string_view>

#include "pipeline/model.h"

namespace keyflow::pipeline {

/// Joins networks of the registry to a model that the pipeline can run; one file a family in this folder.
///
/// family  of the network that tells it: the denoiser's, or the VAE's or text encoder's where that is all there is
/// throws  as open_model
std::shared_ptr<Model> open_family(std::string_view family, ModelParts parts, Need need);

/// The parts that such a model needs; what depends on a denoiser is looked up in its tensors if it is there.
std::vector<models::Part> wanted_parts(std::string_view family, const ModelParts& parts, Need need);

std::shared_ptr<Model> open_wan(ModelParts parts, Need need);
std::vector<models::Part> wan_parts(const ModelParts& parts, Need need);
std::shared_ptr<Model> open_sd(ModelParts parts, Need need);
std::vector<models::Part> sd_parts(const ModelParts& parts, Need need);
std::shared_ptr<Model> open_sd3(ModelParts parts, Need need);
std::vector<models::Part> sd3_parts(const ModelParts& parts, Need need);
std::shared_ptr<Model> open_flux(ModelParts parts, Need need);
std::vector<models::Part> flux_parts(const ModelParts& parts, Need need);

}  // namespace keyflow::pipeline
