#include <algorithm>
#include <array>

#include "core/error.h"
#include "weights/formats.h"

namespace keyflow::weights {
namespace {

namespace fs = std::filesystem;

std::string quoted(const fs::path& path) { return printable(path.string(), 400); }

/// Lower is preferred; 5 is no checkpoint.
size_t rank_of(const std::string& name) {
  const auto ends = [&](std::string_view ending) { return name.ends_with(ending); };
  if (name.starts_with('.')) return 5;
  if (ends(".safetensors.index.json")) return 0;
  if (ends(".safetensors") || ends(".sft")) return 1;
  if (ends(".index.json")) return 2;
  if (ends(".pth") || ends(".pt") || ends(".bin") || ends(".ckpt")) return 3;
  return ends(".gguf") ? 4 : 5;
}

bool within(const fs::path& folder, const fs::path& file) {
  return std::mismatch(folder.begin(), folder.end(), file.begin(), file.end()).first == folder.end();
}

}  // namespace

fs::path find_in_folder(const fs::path& folder) {
  std::array<std::vector<fs::path>, 5> found;
  std::error_code error;
  fs::directory_iterator entry(folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    const size_t rank = rank_of(entry->path().filename().string());
    std::error_code ignored;
    if (rank < found.size() && !fs::is_directory(entry->path(), ignored)) found[rank].push_back(entry->path());
  }
  require(!error, ErrorKind::io, quoted(folder), ": cannot list: ", error.message());
  for (auto& files : found) {
    if (files.empty()) continue;
    std::sort(files.begin(), files.end());
    std::vector<std::string> names;
    for (const auto& file : files) names.push_back(quoted(file.filename()));
    if (files.size() > 1) {
      throw Error(ErrorKind::weights,
                  c10::str(quoted(folder), ": expected one checkpoint, found ", files.size(), "; hint: name the file"),
                  names);
    }
    require_inside(folder, files[0]);
    return files[0];
  }
  fail(ErrorKind::weights, quoted(folder),
       ": expected a shard index, a .safetensors file, a .pth, .pt, .bin or .ckpt file or a .gguf file; found none");
}

void require_inside(const fs::path& folder, const fs::path& file) {
  std::error_code error;
  const fs::path home = fs::canonical(folder, error);
  require(!error, ErrorKind::io, quoted(folder), ": ", error.message());
  const fs::path target = fs::canonical(file, error);
  require(!error, ErrorKind::io, quoted(file), ": cannot open: ", error.message());
  if (within(home, target)) return;
  fs::path entry;
  for (const auto& part : home) {
    if (part == "snapshots" && target.parent_path() == entry / "blobs") return;
    entry /= part;
  }
  fail(ErrorKind::weights, quoted(file), ": expected a file inside ", quoted(folder), ", found a link to ",
       quoted(target));
}

}  // namespace keyflow::weights
