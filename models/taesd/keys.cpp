#include "models/taesd/keys.h"

#include <c10/util/StringUtil.h>

#include <array>
#include <charconv>
#include <set>

namespace keyflow::taesd {
namespace {

/// The index of the first convolution: the decoder's is 1, after the clamp at 0.
int64_t first_index(Half half) { return half == Half::decoder ? 1 : 0; }

}  // namespace

std::string_view name_of(Half half) { return half == Half::decoder ? "decoder" : "encoder"; }

weights::Rename TinyKeys::rename() const {
  const int64_t less = spelling == Spelling::diffusers ? first_index(half) : 0;
  return [less, prefix = prefix](const std::string& name) -> weights::FileName {
    int64_t index = 0;
    const char* end = name.data() + name.size();
    const auto parsed = std::from_chars(name.data(), end, index);
    return {c10::str(prefix, index - less, std::string(parsed.ptr, end))};
  };
}

weights::Ignore TinyKeys::ignore() const {
  return [prefix = prefix](const std::string& name) { return !name.starts_with(prefix); };
}

std::optional<TinyKeys> tiny_keys(const std::vector<weights::TensorInfo>& tensors, Half half) {
  std::set<std::string_view> names;
  for (const auto& info : tensors) names.insert(info.name);
  const std::string own = std::string(name_of(half)) + ".";
  struct Candidate {
    Spelling spelling;
    std::string prefix;
  };
  for (const auto& [spelling, prefix] :
       {Candidate{Spelling::diffusers, own + "layers."}, Candidate{Spelling::original, ""},
        Candidate{Spelling::original, own}, Candidate{Spelling::original, "taesd_" + own}}) {
    const int64_t first = spelling == Spelling::original ? first_index(half) : 0;
    // Only the encoder begins at 0, and only there a block follows at once; the decoder has an activation between.
    const bool block_next = names.count(c10::str(prefix, first + 1, ".conv.0.weight")) > 0;
    const bool before = first > 0 && names.count(c10::str(prefix, first - 1, ".weight")) > 0;
    if (names.count(c10::str(prefix, first, ".weight")) && !before && block_next == (half == Half::encoder)) {
      return TinyKeys{half, spelling, prefix};
    }
  }
  return {};
}

}  // namespace keyflow::taesd
