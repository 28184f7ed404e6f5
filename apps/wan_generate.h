#pragma once
#include <ctime>
#include <optional>

#include "apps/foreign_line.h"
#include "pipeline/frame_size.h"
#include "pipeline/settings.h"

// The command line of Wan's generate.py, with that program's defaults, as keyflow's settings.
// source Wan-Video/Wan2.1 generate.py@9737cba, Wan-Video/Wan2.2 generate.py@42bf4cf
namespace keyflow::apps {

/// Every option of both generate.py.
const std::vector<ForeignGroup>& wan_generate_options();

/// What the settings hang on besides the line.
struct WanGenerateModel {
  std::string variant;  ///< "Wan2.1-FLF2V-14B"
  int64_t stride = 8, patch = 2;
  std::optional<pipeline::FrameSize> picture;  ///< the first one that the line names
};

/// A line that renders.
struct WanGenerateJob {
  pipeline::RenderSettings settings;
  std::string task;                ///< "" until the model tells it
  std::vector<std::string> notes;  ///< what is not as the line says, for the user
};

/// Names of pictures, the first one first.
std::vector<std::string> wan_generate_pictures(const ForeignLine& line);

/// What the line alone decides. Throws Error::usage for a value out of range, a missing prompt or picture, a task that
/// keyflow does not do.
WanGenerateJob read_wan_generate_job(const ForeignLine& line);

/// The rest. Throws Error::config where --task and the model disagree.
void complete_wan_generate_job(WanGenerateJob& job, const ForeignLine& line, const WanGenerateModel& model);

/// --save_file, or the name that generate.py makes: task, size, sizes of the parallel groups, the prompt's first 50
/// characters, the time. Marks that a name cannot hold become "_".
std::string wan_generate_output(const WanGenerateJob& job, const ForeignLine& line, const std::tm& now);

}  // namespace keyflow::apps
