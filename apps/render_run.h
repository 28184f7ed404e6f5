#pragma once
#include <functional>

#include "apps/command.h"
#include "apps/progress.h"
#include "pipeline/render.h"

namespace keyflow::apps {

/// What render commands share behind the settings: --threads, --print-config, the checks of the output, the plan, the
/// render with its progress, and the summary.
/// several_frames  false for a single picture; decides what `-o -` writes (mp4 or png)
/// return the exit code
int run_render(const Arguments& arguments, const pipeline::RenderSettings& settings, bool several_frames);

/// The same around anything that fills an output: encode and decode.
using Work = std::function<pipeline::RenderResult(const pipeline::OutputOptions&, Progress&)>;
int run_work(const Arguments& arguments, int64_t frames, const std::string& extension, const std::string& about,
             const Work& work);

}  // namespace keyflow::apps
