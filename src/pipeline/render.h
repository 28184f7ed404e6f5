#pragma once
#include <ATen/core/Tensor.h>

#include <array>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/compute.h"
#include "pipeline/segments.h"
#include "pipeline/settings.h"

namespace keyflow::pipeline {

class Model;
struct UpscalerModel;

enum class Phase { load, text, image, denoise, decode, upscale, write };
constexpr std::array<Phase, 7> kPhases{Phase::load,   Phase::text,    Phase::image, Phase::denoise,
                                       Phase::decode, Phase::upscale, Phase::write};
std::string_view name_of(Phase phase);

/// What the pipeline has to say while it works. It never prints.
class Observer {
 public:
  virtual ~Observer() = default;
  /// `done` of `total` parts of a phase (steps while denoising, frames while decoding); 0 when it starts.
  virtual void progress(Phase phase, int64_t done, int64_t total) {}
  /// A quick picture of the running latents after `step` (1-based), asked for by OutputOptions::preview_every.
  /// rgb [3, H, W] uint8
  virtual void preview(int64_t step, const at::Tensor& rgb) {}
  /// Something the user may want to know; the result is still what was asked for.
  virtual void note(const std::string& text) {}
  /// Something the user should look at: a constant picture, a stage repeated in another precision.
  virtual void warning(const std::string& text) {}
  /// Asked between steps and frames: true ends the render with Error::interrupted, its state saved. By default a
  /// pending SIGINT or SIGTERM does (core/interrupt.h).
  virtual bool wants_stop();
};

/// Where results go and what is kept; none of it changes the bytes of the output.
struct OutputOptions {
  std::filesystem::path path;     ///< video, picture, "%04d.png" or ".safetensors" latents, by its ending
  std::filesystem::path latents;  ///< saved before decoding; "" is path + ".latents.safetensors"
  std::filesystem::path state;    ///< of an interrupted run; "" is path + ".state.safetensors"
  bool keep_latents = false;
  bool resume = false;           ///< continue from `state` if it exists and has these settings
  int64_t checkpoint_every = 0;  ///< also save the state every so many steps; 0 only when interrupted
  int64_t preview_every = 0;
};

/// Bytes a phase needs at its peak beside the mapped weights that the system may drop.
struct MemoryEstimate {
  uint64_t text = 0, image = 0, denoise = 0, decode = 0;
  uint64_t largest() const;
};

/// A render that has been checked and can only fail by the machine or by the numbers.
struct RenderPlan {
  RenderSettings settings;  ///< every value effective
  Compute compute;
  std::shared_ptr<const Model> model;
  std::vector<Segment> segments;
  std::map<std::filesystem::path, at::Tensor> pictures;  ///< of all keyframes, as read: [3, H, W] uint8
  int64_t tile = 0;                                      ///< of the VAE in pixels, 0 whole frames
  std::shared_ptr<const UpscalerModel> upscaler;         ///< of the frames; null for none
  int64_t upscale_tile = 0;                              ///< in pixels, 0 whole frames
  MemoryEstimate estimate;
  std::vector<std::string> notes;  ///< for the user, before the work begins
};

/// Finds the model, reads headers, fills in presets and refuses every wrong combination, all before heavy work and
/// without reading weights. Throws Error::usage, config, weights or io.
RenderPlan plan_render(const RenderSettings& settings);

struct PhaseCost {
  Phase phase;
  double seconds = 0;
  uint64_t peak_bytes = 0;  ///< resident
};

struct RenderResult {
  std::vector<std::filesystem::path> outputs;
  std::filesystem::path latents;  ///< "" when removed
  std::vector<PhaseCost> costs;   ///< in the order worked
  bool constant_picture = false;
  uint64_t peak_bytes() const;
};

/// Renders. Each network is loaded when its phase starts and freed when it ends; latents are on disk before decoding.
/// Throws Error::numeric (stage, step and first bad module), Error::interrupted (state saved), Error::io.
RenderResult render(const RenderPlan& plan, const OutputOptions& output, Observer& observer);

/// plan_render and render, with the plan's notes told to the observer.
RenderResult render(const RenderSettings& settings, const OutputOptions& output, Observer& observer);

}  // namespace keyflow::pipeline
