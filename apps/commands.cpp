#include "apps/commands.h"

namespace keyflow::apps {

std::vector<Command> all_commands() {
  return {
      video_command(),   image_command(),        interpolate_command(), upscale_command(),  convert_command(),
      inspect_command(), encode_command(),       decode_command(),      tokenize_command(), sigmas_command(),
      sd_cli_command(),  wan_generate_command(), train_command(),       bench_command(),    completion_command(),
  };
}

}  // namespace keyflow::apps
