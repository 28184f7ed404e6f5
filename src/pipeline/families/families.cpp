#include "pipeline/families/families.h"

#include <algorithm>
#include <array>

#include "core/error.h"

namespace keyflow::pipeline {
namespace {

struct Entry {
  std::string_view family;
  std::shared_ptr<Model> (*open)(ModelParts parts, Need need);
  std::vector<models::Part> (*parts)(const ModelParts& parts, Need need);
};
/// A denoiser tells its family; a VAE or text encoder alone goes with the first family that can use it.
constexpr std::array kFamilies{Entry{"wan", open_wan, wan_parts},         Entry{"sd", open_sd, sd_parts},
                               Entry{"sd3", open_sd3, sd3_parts},         Entry{"flux", open_flux, flux_parts},
                               Entry{"t5", open_wan, wan_parts},          Entry{"clip", open_sd, sd_parts},
                               Entry{"autoencoder_kl", open_sd, sd_parts}};

const Entry& entry_of(std::string_view family) {
  const auto entry = std::find_if(kFamilies.begin(), kFamilies.end(),
                                  [&](const Entry& candidate) { return candidate.family == family; });
  require(entry != kFamilies.end(), ErrorKind::internal, "no family renders with ", family, " networks");
  return *entry;
}

}  // namespace

std::shared_ptr<Model> open_family(std::string_view family, ModelParts parts, Need need) {
  return entry_of(family).open(std::move(parts), need);
}

std::vector<models::Part> wanted_parts(std::string_view family, const ModelParts& parts, Need need) {
  return entry_of(family).parts(parts, need);
}

}  // namespace keyflow::pipeline
