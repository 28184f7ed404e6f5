#pragma once
#include "apps/foreign_line.h"
#include "pipeline/settings.h"

// What the commands that take another program's line share once it is understood.
namespace keyflow::apps {

/// Whatever the line decides beside the settings.
struct ForeignOutput {
  std::string path;
  bool makes_video = false;
  int64_t preview_every = 0;
  std::string preview_path = {};
  std::string threads = {};  ///< "" for all cores
  bool verbose = false;
};

/// `note:` lines on standard error.
void say(const std::vector<std::string>& notes);

/// Makes the output's folder where it is missing, as both programs do, and checks the output.
Arguments checked_arguments(const ForeignOutput& output, int64_t frames);

/// Runs one of keyflow's commands for `asked` ("sd-cli -M convert"); Error::unsupported where this build lacks it.
int run_own_command(const std::string& asked, const std::vector<std::string>& words);

}  // namespace keyflow::apps
