#pragma once
#include "apps/command.h"

namespace keyflow::apps {

/// Reads the words behind the program's name and runs the command they name.
///
/// Errors are ours, one line each, with the nearest name: an unknown command or option, an option without its value, a
/// flag with one, a word outside an enumeration, the same single option with two values, too few or too many operands.
/// `--name value` and `--name=value` are the same; a value may begin with a dash unless it is itself the name of an
/// option; behind `--` every word is an operand.
/// return the exit code
/// throws Error::usage
int run_command_line(const std::vector<Command>& commands, const std::vector<std::string>& words);

}  // namespace keyflow::apps
