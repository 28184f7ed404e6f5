#pragma once
#include "apps/command.h"

namespace keyflow::apps {

/// The page of `keyflow --help`: at most 24 lines of 80 columns.
std::string top_help(const std::vector<Command>& commands);

/// The page of `keyflow COMMAND --help`: usage, options in their groups, an example; 80 columns.
std::string command_help(const Command& command);

/// "keyflow 0.1.0, libtorch 2.13.0, ..."
std::string version_text();

}  // namespace keyflow::apps
