#pragma once
#include "apps/command.h"

namespace keyflow::apps {

/// The shell code that completes commands, options, enumerated values and file names; `shell` is "bash", "zsh" or
/// "fish".
std::string completion_script(const std::vector<Command>& commands, const std::string& shell);

}  // namespace keyflow::apps
