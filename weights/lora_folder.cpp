#include "weights/lora_folder.h"

#include <algorithm>
#include <array>
#include <vector>

#include "core/error.h"

namespace keyflow::weights {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 6> kEndings{".safetensors", ".pt", ".ckpt", ".bin", ".pth", ".gguf"};

bool has_ending(const fs::path& path) {
  return std::find(kEndings.begin(), kEndings.end(), path.extension().string()) != kEndings.end();
}

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    if (has_ending(entry->path())) names.push_back(entry->path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

fs::path find_lora(const fs::path& folder, const std::string& name) {
  const fs::path relative(name);
  const bool leaves = relative.is_absolute() || std::find(relative.begin(), relative.end(), "..") != relative.end();
  require(!name.empty() && !leaves && name.find('\\') == name.npos, ErrorKind::usage, "LoRA ", printable(name),
          ": expected a name inside ", printable(folder.string(), 400));
  std::error_code ignored;
  if (has_ending(relative) && fs::is_regular_file(folder / relative, ignored)) return folder / relative;
  for (const auto ending : kEndings) {
    const fs::path path = folder / (name + std::string(ending));
    if (fs::is_regular_file(path, ignored)) return path;
  }
  const auto names = names_in((folder / relative).parent_path());
  const std::string guess = nearest(relative.filename().string(), names);
  fail(ErrorKind::io, "LoRA ", printable(name), ": no such file in ", printable(folder.string(), 400),
       guess.empty() ? c10::str(" (", names.size(), " LoRA files there)")
                     : "; hint: did you mean " + printable(guess) + "?");
}

}  // namespace keyflow::weights
