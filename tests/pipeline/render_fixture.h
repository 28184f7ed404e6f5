#pragma once
#include <gtest/gtest.h>

#include "pipeline/latents_file.h"
#include "tests/pipeline/tiny_models.h"

namespace keyflow::pipeline {

/// Renders into a folder of its own.
class Render : public testing::Test {
 protected:
  RenderResult run(const RenderSettings& settings, const std::string& name, bool keep = false) {
    OutputOptions output;
    output.path = folder / name;
    output.keep_latents = keep;
    return render(settings, output, listener);
  }
  at::Tensor latents_of(const RenderSettings& settings) {
    const RenderResult result = run(settings, "latents.safetensors");
    return load_latents(result.outputs.at(0)).segments.at(0);
  }
  TemporaryFolder folder;
  Listener listener;
};

}  // namespace keyflow::pipeline
