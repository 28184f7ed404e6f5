#include "apps/commands.h"

namespace keyflow::apps {

std::vector<Command> all_commands() {
  return {
      sigmas_command(),
      completion_command(),
  };
}

}  // namespace keyflow::apps
