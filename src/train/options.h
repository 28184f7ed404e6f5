#pragma once
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "train/dit_trainer.h"

namespace keyflow::train {

/// One option of a stage, for the help of whoever parses them.
struct OptionHelp {
  std::string name, value, help;
};

/// Options by name, without dashes, as text.
using Options = std::map<std::string, std::string>;

/// The stages of a training: "vae", "vae-quality", "latents", "dit".
std::vector<std::string> stages();
std::vector<OptionHelp> stage_options(const std::string& stage);

/// What the program around the trainer does for it.
struct Surroundings {
  std::function<void(const std::string& line)> print;
  ShowPicture show;
};

/// Runs a stage; prints nothing but through `around`. Throws Error::usage for an unknown stage, an unknown option, a
/// missing one or a bad value.
void run_stage(const std::string& stage, const Options& options, const Surroundings& around);

}  // namespace keyflow::train
