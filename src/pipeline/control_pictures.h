#pragma once
#include <vector>

#include "pipeline/denoiser.h"
#include "pipeline/render.h"

namespace keyflow::pipeline {

/// What each ControlNet of the settings reads, its picture fitted to the frame.
std::vector<ControlPicture> control_pictures(const RenderPlan& plan);

}  // namespace keyflow::pipeline
