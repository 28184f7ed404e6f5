#pragma once
#include <ATen/core/Tensor.h>

#include <functional>
#include <map>

#include "pipeline/codec.h"
#include "pipeline/model.h"
#include "pipeline/render.h"

namespace keyflow::pipeline {

/// Pixel frames that are given, by their number within a segment: [3, H, W] float32 in about [-1, 1].
using GivenFrames = std::map<int64_t, at::Tensor>;

/// A keyframe's picture as a frame of the video, by settings.fit and settings.conventions.
///
/// stretch, official   torch bicubic to the frame; a picture of another size than the first one first covers its size
/// and
///                     is cropped to it (the official program only crops, without resizing: zero borders)
/// stretch, diffusers  Pillow's Lanczos to the frame
/// cover               resized to cover the frame, centre-cropped
/// rgb [3, H0, W0] uint8; `first` the picture of the video's first keyframe
at::Tensor fit_keyframe(const at::Tensor& rgb, const at::Tensor& first, const RenderSettings& settings);

/// Mask and condition latents of a segment: the given frames in a grey video, encoded as a stream.
///
/// frames    4n + 1
/// tile      of the VAE in pixels, 0 for whole frames
/// progress  called with the number of frames read so far; may throw to stop
/// return  [1, 4 + Z, n + 1, H/8, W/8] float32, all zeros when nothing is given
/// throws  NotFinite when the encoder's output is not
/// source  Wan2.1 wan/image2video.py@9737cba, wan/first_last_frame2video.py; VideoX-Fun (nothing given)
at::Tensor condition_latents(const Codec& codec, const ModelFacts& facts, const GivenFrames& given, int64_t frames,
                             const RenderSettings& settings, int64_t tile,
                             const std::function<void(int64_t)>& progress);

}  // namespace keyflow::pipeline
