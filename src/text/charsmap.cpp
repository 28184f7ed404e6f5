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

std::optional<std::string_view> Charsmap::shortest(std::string_view text) const {
  uint32_t node = offset(units_[0]);
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte == 0) break;
    node ^= byte;
    if (label(units_[node]) != byte) return std::nullopt;
    const bool leaf = has_leaf(units_[node]);
    node ^= offset(units_[node]);
    if (leaf) return std::string_view(replacements_.c_str() + value(units_[node]));
  }
  return std::nullopt;
}

}  // namespace keyflow::text
