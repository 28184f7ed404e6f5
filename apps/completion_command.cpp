#include "apps/commands.h"
#include "apps/completion.h"
#include "apps/console.h"

namespace keyflow::apps {

Command completion_command() {
  Command command;
  command.name = "completion";
  command.summary = "Print the code that lets bash, zsh or fish complete keyflow";
  command.operands = "bash|zsh|fish";
  command.least_operands = command.most_operands = 1;
  command.example = "source <(keyflow completion bash)";
  command.run = [](const Arguments& arguments) {
    print(completion_script(all_commands(), arguments.operands()[0]));
    return 0;
  };
  return command;
}

}  // namespace keyflow::apps
