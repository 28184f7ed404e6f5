#pragma once
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "weights/lora_file.h"
#include "weights/lora_names.h"
#include "weights/overlay.h"

namespace keyflow::weights {

/// A LoRA file to be used, as the user asks for it.
struct LoraRequest {
  std::filesystem::path path;
  double weight = 1;                       ///< any finite number; 0 as if it were not there
  std::optional<double> text_weight = {};  ///< for text encoders; the same where not given
};

/// What became of one file.
struct LoraReport {
  std::filesystem::path path;
  double weight = 1, text_weight = 1;
  size_t entries = 0, matched = 0;
  std::vector<std::string> unmatched;  ///< layers and tensors that no network took, as the file spells them
  std::vector<std::string> networks;   ///< touched, in the order of their matching
};

/// LoRA files used together. Each network that a render builds is matched in turn; then require_matches() tells whether
/// every file found something. The same file asked for twice counts once, with the sum of its weights.
class LoraSet {
 public:
  LoraSet() = default;
  /// Opens all. throws Error::io, Error::weights; Error::usage for a weight that is not finite
  explicit LoraSet(const std::vector<LoraRequest>& requests);

  bool empty() const { return files_.empty(); }

  /// What the files change in the network whose weights `plan` lists. An entry goes to the first network that has its
  /// layer. throws Error::weights listing every layer whose matrices do not fit the weight
  Overlay match(const LoraNames& names, const Plan& plan, LoraMode mode = LoraMode::beside);

  std::vector<LoraReport> report() const;

  /// Throws Error::weights for the first file none of whose layers belongs to any network so far. `family_of` says what
  /// a file seems to be for, "" for no idea; it stands in the hint.
  void require_matches(const std::function<std::string(const LoraFile&)>& family_of = {}) const;

 private:
  struct Used {
    LoraFile file;
    double weight, text_weight;
    std::vector<bool> matched;  // by entry
    std::vector<std::string> networks;
  };
  std::vector<Used> files_;
};

}  // namespace keyflow::weights
