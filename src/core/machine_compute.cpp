#include <ATen/Version.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "core/compute.h"
#include "core/error.h"
#include "core/sha256.h"

namespace keyflow {
namespace {

namespace fs = std::filesystem;

/// The first processor's lines of /proc/cpuinfo that say what it can do.
std::string processor() {
  std::ifstream info("/proc/cpuinfo");
  std::string text;
  for (std::string line; std::getline(info, line) && !line.empty();) {
    for (const char* key : {"model name", "flags", "Features", "CPU part"}) {
      if (line.starts_with(key)) text += line + "\n";
    }
  }
  return text;
}

/// Where the choice is kept; "" where the user has no cache folder.
fs::path memory() {
  const char *cache = std::getenv("XDG_CACHE_HOME"), *home = std::getenv("HOME");
  fs::path folder = cache != nullptr && fs::path(cache).is_absolute() ? fs::path(cache)
                    : home != nullptr && fs::path(home).is_absolute() ? fs::path(home) / ".cache"
                                                                      : fs::path();
  if (folder.empty()) return {};
  const std::string machine =
      c10::str(KEYFLOW_VERSION, "\n", processor(), at::get_mkl_version(), "\n", at::get_mkldnn_version());
  Sha256 hash;
  hash.update(machine);
  return folder / "keyflow" / ("compute-" + hash.hex().substr(0, 16) + ".txt");
}

/// What the file says, if all of it is there.
std::optional<Compute> recall(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  try {
    const Compute kept = compute_from_text(line);
    return to_text(kept) == line ? std::optional(kept) : std::nullopt;
  } catch (const Error&) {
    return std::nullopt;
  }
}

/// Of two processes that measure at once the first to write decides for both.
Compute remember(const fs::path& path, const Compute& found) {
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  const fs::path temporary = path.string() + "." + std::to_string(::getpid());
  std::ofstream(temporary) << to_text(found) << "\n";
  fs::create_hard_link(temporary, path, error);
  const auto kept = recall(path);
  if (!kept) fs::rename(temporary, path, error);  // no hard links here, or another program's rubbish
  fs::remove(temporary, error);
  return kept.value_or(found);
}

}  // namespace

Compute machine_compute() {
  const fs::path path = memory();
  if (path.empty()) return probe_compute();
  if (const auto known = recall(path)) return *known;
  return remember(path, probe_compute());
}

}  // namespace keyflow
