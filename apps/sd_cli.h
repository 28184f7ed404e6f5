#pragma once
#include <optional>

#include "apps/foreign_line.h"
#include "pipeline/frame_size.h"
#include "pipeline/settings.h"

// The command line of stable-diffusion.cpp's sd-cli, with that program's defaults, as keyflow's settings.
// source leejet/stable-diffusion.cpp examples/common/common.cpp, examples/cli/main.cpp and
// src/runtime/denoiser.hpp@97d2990
namespace keyflow::apps {

/// Every option of sd-cli.
const std::vector<ForeignGroup>& sd_cli_options();

/// What sd-cli's settings hang on besides the line.
struct SdCliModel {
  std::string family;                          ///< of the registry: "sd", "sd3", "flux", "wan"
  std::string variant;                         ///< "SDXL"
  int64_t multiple = 8, stride = 8;            ///< as ModelFacts has them
  std::optional<pipeline::FrameSize> picture;  ///< the first one that the line names
};

/// A line that renders.
struct SdCliJob {
  pipeline::RenderSettings settings;
  bool makes_video = false;
  std::string output;
  int64_t preview_every = 0;
  std::string preview_path;
  std::vector<std::string> notes;   ///< what is not as the line says, for the user
  std::vector<std::string> asides;  ///< the same where nobody would see a difference, for the verbose
};

/// Names of pictures whose size the render takes where the line gives none, the first one first.
std::vector<std::string> sd_cli_pictures(const ForeignLine& line);

/// What the line alone decides. Throws Error::usage for a value out of range or without counterpart.
SdCliJob read_sd_cli_job(const ForeignLine& line);

/// The rest, which hangs on the model: size, sampler, schedule, shift, strength, tiles, a second size.
void complete_sd_cli_job(SdCliJob& job, const ForeignLine& line, const SdCliModel& model);

}  // namespace keyflow::apps
