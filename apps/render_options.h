#pragma once
#include "apps/command.h"
#include "pipeline/render.h"
#include "pipeline/settings.h"

namespace keyflow::apps {

// Option groups shared by the commands that render, encode and decode; names are the field's.
OptionGroup prompt_options();
OptionGroup image_prompt_options();
OptionGroup start_options();
OptionGroup lora_options();
OptionGroup hires_options();
OptionGroup control_options();
OptionGroup image_sampling_options();
OptionGroup keyframe_options();
OptionGroup size_options();  ///< of one picture
OptionGroup length_options();
OptionGroup sampling_options();
OptionGroup model_options();
OptionGroup output_options();
OptionGroup settings_options();

/// The settings that the arguments ask for: built-in defaults, under --config, under --from-metadata, under the
/// command line. `implied` are values the command itself stands for ("frames" "1").
/// throws Error::usage, Error::config, Error::io
pipeline::RenderSettings settings_from(const Arguments& arguments,
                                       const std::vector<std::pair<std::string, std::string>>& implied = {});

/// Where the result goes. Throws Error::usage without -o, for a bad name, Error::io where no file can be made; nothing
/// is left behind. `frames` of the result, 0 for several.
pipeline::OutputOptions output_from(const Arguments& arguments, int64_t frames);

/// --threads, for all of libtorch.
void set_threads(const Arguments& arguments);

}  // namespace keyflow::apps
