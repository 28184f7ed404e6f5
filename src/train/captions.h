#pragma once
#include <filesystem>
#include <string>
#include <vector>

namespace keyflow::train {

/// One line of a captions.tsv.
struct Caption {
  std::filesystem::path file;
  std::string name;
  std::vector<std::string> keywords;
  std::string group;

  /// The ways a prompt may put it, plainest first; always `count` of them, repeated where there are fewer.
  std::vector<std::string> wordings(size_t count) const;
};

/// Reads FOLDER/captions.tsv: tab-separated, the header names the columns; `file` (inside the folder) and `name` are
/// needed, `keywords` (comma-separated) and `group` are used, others are left alone. Throws Error::config with the
/// line.
std::vector<Caption> read_captions(const std::filesystem::path& folder);

}  // namespace keyflow::train
