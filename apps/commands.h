#pragma once
#include "apps/command.h"

// One function per file of this folder: the command as the help shows it, and what it does.
namespace keyflow::apps {

Command video_command();
Command image_command();
Command interpolate_command();
Command upscale_command();
Command inspect_command();
Command convert_command();
Command encode_command();
Command decode_command();
Command tokenize_command();
Command sigmas_command();
Command sd_cli_command();
Command wan_generate_command();
Command train_command();
Command bench_command();
Command completion_command();

/// Every command, in the order of the help page. To add one: its file, its line above, its line in commands.cpp.
std::vector<Command> all_commands();

}  // namespace keyflow::apps
