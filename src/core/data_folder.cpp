#include "core/data_folder.h"

#include <array>
#include <system_error>

#include "core/error.h"

namespace keyflow {

namespace fs = std::filesystem;

fs::path data_folder() {
  std::error_code unreadable;
  const auto program = fs::read_symlink("/proc/self/exe", unreadable);
  const std::array<fs::path, 3> candidates{(program.parent_path() / "../share/keyflow").lexically_normal(),
                                           KEYFLOW_SOURCE_DATA, KEYFLOW_INSTALLED_DATA};
  for (const auto& candidate : candidates) {
    if (fs::is_directory(candidate / "configs", unreadable)) return candidate;
  }
  fail(ErrorKind::io, "no folder with keyflow's configs; looked in ", candidates[0].string(), ", ",
       candidates[1].string(), ", ", candidates[2].string(), "; hint: keep bin/ and share/keyflow/ side by side");
}

}  // namespace keyflow
