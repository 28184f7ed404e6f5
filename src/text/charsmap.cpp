#include "text/charsmap.h"

#include <cstring>

#include "core/error.h"

namespace keyflow::text {
namespace {

constexpr uint32_t kLeafBit = 1u << 31;

bool has_leaf(uint32_t unit) { return unit >> 8 & 1; }
uint32_t label(uint32_t unit) { return unit & (kLeafBit | 0xFF); }
uint32_t offset(uint32_t unit) { return (unit >> 10) << ((unit & 1u << 9) >> 6); }
uint32_t value(uint32_t unit) { return unit & ~kLeafBit; }

}  // namespace

Charsmap::Charsmap(std::string_view blob, const std::string& where) {
  uint32_t bytes = 0;
  require(blob.size() > sizeof bytes, ErrorKind::config, where, ": expected a trie, found ", blob.size(), " bytes");
  std::memcpy(&bytes, blob.data(), sizeof bytes);
  blob.remove_prefix(sizeof bytes);
  // A block of 256 units holds all children of a node: a child's place is the node's with its lowest 8 bits flipped.
  require(bytes != 0 && bytes % 1024 == 0 && bytes < blob.size(), ErrorKind::config, where, ": trie of ", bytes,
          " bytes; expected a multiple of 1024 below ", blob.size());
  units_.resize(bytes / sizeof(uint32_t));
  std::memcpy(units_.data(), blob.data(), bytes);
  replacements_ = blob.substr(bytes);
  require(replacements_.back() == '\0', ErrorKind::config, where, ": the replacements are not ended by NUL");
  for (uint32_t i = 0; i < units_.size(); ++i) {
    const uint32_t unit = units_[i], target = i ^ offset(unit);
    const bool sound = unit & kLeafBit ? value(unit) < replacements_.size()
                                       : target < units_.size() && (!has_leaf(unit) || units_[target] & kLeafBit);
    require(sound, ErrorKind::config, where, ": unit ", i, " of the trie points outside");
  }
}

template <class Found>
void Charsmap::walk(std::string_view text, Found found) const {
  uint32_t node = offset(units_[0]);
  for (size_t i = 0; i < text.size() && text[i] != '\0'; ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    node ^= byte;
    const uint32_t unit = units_[node];
    if (label(unit) != byte) return;
    node ^= offset(unit);
    if (has_leaf(unit) && !found(i + 1, std::string_view(replacements_.c_str() + value(units_[node])))) return;
  }
}

std::optional<std::string_view> Charsmap::shortest(std::string_view text) const {
  std::optional<std::string_view> best;
  walk(text, [&](size_t, std::string_view replacement) {
    best = replacement;
    return false;
  });
  return best;
}

std::pair<size_t, std::string_view> Charsmap::longest(std::string_view text) const {
  std::pair<size_t, std::string_view> best{0, {}};
  walk(text, [&](size_t length, std::string_view replacement) {
    best = {length, replacement};
    return true;
  });
  return best;
}

}  // namespace keyflow::text
