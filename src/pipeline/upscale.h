#pragma once
#include <ATen/core/Tensor.h>

#include <filesystem>
#include <string>
#include <vector>

#include "pipeline/render.h"
#include "pipeline/upscaler.h"

// `keyflow upscale`: a picture or a video made larger.
namespace keyflow::pipeline {

struct UpscaleSettings {
  std::filesystem::path model;
  double scale = 0;           ///< of the result; 0 is what the network and its passes give, else Lanczos does the rest
  int64_t repeats = 1;        ///< passes of the network
  std::string tile = "auto";  ///< see upscale_tile
  std::string dtype = "auto";
  int64_t crf = -1;  ///< quality of a video file
};

/// An upscale that has been checked and can only fail by the machine or by the numbers.
struct UpscalePlan {
  UpscaleSettings settings;  ///< every value effective
  std::filesystem::path input;
  UpscalerModel model;
  Compute compute;
  int64_t tile = 0;
  at::Tensor picture;  ///< [3, H, W] uint8; undefined for a video
  int64_t frames = 1, width = 0, height = 0;
  double fps = 1;
  int64_t large_width = 0, large_height = 0;  ///< of the result
  std::string metadata;
  std::vector<std::string> notes;  ///< for the user, before the work begins
};

/// Opens the network and the input, reads a video once to count and check its frames, and refuses what cannot work: no
/// weight is read. A file that holds several frames is a video, whatever its name.
///
/// throws Error::usage: a result of more than 2^27 pixels or with a side above 65535; Error::device (Error::usage where
///        no machine would do) when it does not fit into memory; Error::io, Error::weights, Error::config
UpscalePlan plan_upscale(const UpscaleSettings& settings, const std::filesystem::path& input);

/// Works frame by frame. The input's settings are kept in the output, which also tells how it was enlarged.
/// Throws Error::numeric, Error::interrupted, Error::io; then nothing is left behind.
RenderResult upscale(const UpscalePlan& plan, const OutputOptions& output, Observer& observer);

}  // namespace keyflow::pipeline
