#pragma once
#include "pipeline/render.h"

namespace keyflow::pipeline {

/// The tile that settings.tiling names; -1 for "auto". Throws Error::usage.
int64_t tile_from_text(const std::string& text);

/// Fills in what depends on the machine: the arithmetic by a probe, the VAE's tiles by the memory estimate; both become
/// settings. Throws Error::device (Error::usage where no machine would do) when the render does not fit into memory.
void fit_to_machine(RenderPlan& plan);

}  // namespace keyflow::pipeline
