#pragma once
#include <vector>

#include "pipeline/denoiser.h"
#include "pipeline/render.h"

namespace keyflow::pipeline {

/// What each ControlNet of the settings reads, its picture fitted to a frame of that size.
std::vector<ControlPicture> control_pictures(const RenderPlan& plan, int64_t width, int64_t height);

}  // namespace keyflow::pipeline
