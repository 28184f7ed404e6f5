#pragma once
#include <ATen/core/Tensor.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/compute.h"
#include "models/esrgan/network.h"
#include "models/esrgan/tiles.h"
#include "pipeline/network.h"
#include "pipeline/render.h"

namespace keyflow::pipeline {

/// An upscaler's file, planned; no weight has been read.
struct UpscalerModel {
  Network network;
  esrgan::Config config;
  std::string variant;  ///< "realesr-animevideov3"
  std::string hash;     ///< a fingerprint of the file, see weights/hash.h
};

/// A file of Real-ESRGAN, ESRGAN or SRVGG: .pth, .safetensors, or either half of an ncnn network.
/// Throws Error::io, Error::weights with every name and shape that does not fit, Error::unsupported.
UpscalerModel open_upscaler(const std::filesystem::path& path);

/// The tile of an upscaler in pixels that settings name ("auto", "off" or a number from 32): 0 whole pictures. "auto"
/// is 512 for SRVGG and 256 for RRDB, or less where that does not fit into `available` bytes. Throws Error::usage.
int64_t upscale_tile(const std::string& text, const esrgan::Config& config, const Compute& compute, uint64_t available);

/// Bytes that one pass over a picture of this size takes at its peak, beside the picture and the result.
uint64_t upscale_bytes(const esrgan::Config& config, const Compute& compute, int64_t height, int64_t width,
                       int64_t tile);

/// Enlarges pictures, one after the other.
class Upscaler {
 public:
  struct Options {
    int64_t repeats = 1;  ///< passes over each picture, from 1
    int64_t tile = 0;     ///< pixels, 0 the whole picture
  };
  /// Reads the weights. The observer, which must outlive this object, is asked between tiles whether to stop.
  Upscaler(UpscalerModel model, const Compute& compute, const Options& options, Observer& observer);

  /// Pixels along an edge of the result for one of the picture, all passes together.
  int64_t scale() const { return scale_; }
  /// How many tiles a picture of this size takes, all passes together.
  int64_t tiles(int64_t height, int64_t width) const;
  /// Takes the memory of one tile at work beside that of both pictures.
  ///
  /// rgb     [3, H, W] uint8
  /// done    called after each tile
  /// return  [3, scale * H, scale * W] uint8, rounded to the nearest as Real-ESRGAN's program does
  /// throws  Error::shape; Error::numeric where the result is not finite even in fp32; Error::interrupted
  at::Tensor operator()(const at::Tensor& rgb, const std::function<void()>& done = {});

 private:
  at::Tensor pass(const at::Tensor& rgb, const std::function<void()>& done) const;
  void load(const Compute& compute);

  UpscalerModel model_;
  Compute compute_;
  int64_t repeats_, scale_ = 1;
  esrgan::Tiling tiling_;
  Observer& observer_;
  std::optional<esrgan::Network> network_;
};

/// Opens the upscaler that the settings of a render name, and adds what it takes to the estimate. Call it once size and
/// arithmetic are known; without such a setting nothing happens.
/// Throws as open_upscaler, Error::usage for a result of more than 2^27 pixels or a side above 65535.
void plan_upscaler(RenderPlan& plan);

/// The upscaler of a planned render; null for none.
std::shared_ptr<Upscaler> make_upscaler(const RenderPlan& plan, Observer& observer);

}  // namespace keyflow::pipeline
