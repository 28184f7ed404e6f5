#include <algorithm>
#include <memory>

#include "text/charsmap.h"
#include "text/sentencepiece_model.h"

namespace keyflow::text {
namespace {

class SentencePieceNormalizer {
 public:
  SentencePieceNormalizer(const SentencePieceModel& model, const std::string& where)
      : dummy_prefix_(model.dummy_prefix),
        remove_extra_(model.remove_extra_spaces),
        space_(model.escape_spaces ? U'▁' : U' ') {
    if (!model.charsmap.empty())
      map_ = std::make_shared<const Charsmap>(model.charsmap, where + ": precompiled_charsmap");
    for (const auto& piece : model.pieces) {
      if (piece.type == SentencePieceModel::Type::user_defined) symbols_.push_back(piece.text);
    }
    std::sort(symbols_.begin(), symbols_.end(), [](const auto& a, const auto& b) { return a.size() > b.size(); });
  }

  Glyphs operator()(const Glyphs& glyphs) const {
    const std::string bytes = encode_utf8(characters_of(glyphs));
    Glyphs out;
    bool after_space = remove_extra_;
    for (size_t at = 0, index = 0; at < bytes.size();) {
      const auto [length, text] = prefix(std::string_view(bytes).substr(at));
      for (const char32_t c : text) {
        if (c == U' ' && after_space && remove_extra_) continue;
        if (out.empty() && dummy_prefix_) out.push_back({space_, glyphs[index].at});
        out.push_back({c == U' ' ? space_ : c, glyphs[index].at});
        after_space = c == U' ';
      }
      for (const size_t end = at + length; at < end; ++index) at += utf8_length(bytes[at]);
    }
    while (remove_extra_ && !out.empty() && out.back().c == space_) out.pop_back();
    return out;
  }

 private:
  /// How many bytes of the text go together, and what becomes of them.
  std::pair<size_t, std::u32string> prefix(std::string_view text) const {
    for (const auto& symbol : symbols_) {
      if (text.starts_with(symbol)) return {symbol.size(), decode_utf8(symbol)};
    }
    const auto [length, replacement] = map_ ? map_->longest(text) : std::pair<size_t, std::string_view>{};
    if (length > 0) return {length, decode_utf8(replacement)};
    const size_t character = utf8_length(text[0]);
    return {character, decode_utf8(text.substr(0, character))};
  }

  std::shared_ptr<const Charsmap> map_;
  std::vector<std::string> symbols_;
  bool dummy_prefix_, remove_extra_;
  char32_t space_;
};

}  // namespace

Normalizer sentencepiece_normalizer(const SentencePieceModel& model, const std::string& where) {
  return SentencePieceNormalizer(model, where);
}

}  // namespace keyflow::text
