#include "text/unigram.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>
#include <type_traits>

#include "core/error.h"

namespace keyflow::text {
namespace {

using nlohmann::json;

constexpr double kUnknownPenalty = 10;
constexpr float kLargestFloatSum = 100'000;

unsigned byte_at(std::string_view text, size_t i) { return static_cast<unsigned char>(text[i]); }

}  // namespace

Unigram::Unigram(std::vector<Piece> pieces, int64_t unknown, bool byte_fallback, Sums sums, const JsonPlace& place)
    : pieces_(std::move(pieces)),
      sorted_(pieces_.size()),
      unknown_(unknown),
      byte_fallback_(byte_fallback),
      sums_(sums) {
  std::iota(sorted_.begin(), sorted_.end(), 0u);
  std::sort(sorted_.begin(), sorted_.end(), [&](auto a, auto b) { return pieces_[a].text < pieces_[b].text; });
  least_ = std::numeric_limits<double>::max();
  for (size_t i = 0; i < sorted_.size(); ++i) {
    const Piece& piece = pieces_[sorted_[i]];
    require(i == 0 || pieces_[sorted_[i - 1]].text != piece.text, ErrorKind::config, place.text(), ": piece \"",
            printable(piece.text), "\" is there twice, as ", sorted_[i ? i - 1 : 0], " and ", sorted_[i]);
    if (!piece.plain) continue;
    plain_.push_back(sorted_[i]);
    ++first_byte_[byte_at(piece.text, 0) + 1];
    least_ = std::min(least_, piece.score);
  }
  require(!plain_.empty(), ErrorKind::config, place.text(), ": expected pieces of text, found none");
  std::partial_sum(first_byte_.begin(), first_byte_.end(), first_byte_.begin());
}

std::optional<int64_t> Unigram::id_of(const std::string& piece) const {
  const auto found = std::lower_bound(sorted_.begin(), sorted_.end(), piece,
                                      [&](uint32_t id, const std::string& text) { return pieces_[id].text < text; });
  if (found == sorted_.end() || pieces_[*found].text != piece) return std::nullopt;
  return *found;
}

template <class Real>
std::vector<Unigram::Step> Unigram::best_steps(std::string_view bytes) const {
  std::vector<Step> steps(bytes.size() + 1);
  std::vector<Real> scores(bytes.size() + 1);
  size_t frontier = 0;
  const auto offer = [&](size_t start, size_t end, Real score, int64_t id) {
    frontier = std::max(frontier, end);
    score += scores[start];
    if (steps[end].start >= 0 && !(score > scores[end])) return;
    steps[end] = {static_cast<int64_t>(start), id};
    scores[end] = score;
  };
  const Real unknown_score = static_cast<Real>(least_) - static_cast<Real>(kUnknownPenalty);
  for (size_t start = 0; start < bytes.size(); start += utf8_length(bytes[start])) {
    const size_t character = start + utf8_length(bytes[start]);
    bool has_character = false;
    if constexpr (std::is_same_v<Real, float>) {
      // sentencepiece brings sums back to zero before float loses the scores' digits.
      const float offset = scores[start];
      for (size_t i = start; std::abs(offset) > kLargestFloatSum && i <= frontier; ++i) scores[i] -= offset;
    }
    auto low = plain_.begin() + first_byte_[byte_at(bytes, start)];
    auto high = plain_.begin() + first_byte_[byte_at(bytes, start) + 1];
    // Between low and high stand the pieces that begin with bytes[start, end).
    for (size_t end = start + 1; low != high; ++end) {
      if (pieces_[*low].text.size() == end - start) {
        offer(start, end, static_cast<Real>(pieces_[*low].score), *low);
        has_character |= end == character;
        ++low;
      }
      if (end == bytes.size()) break;
      const unsigned next = byte_at(bytes, end);
      const size_t depth = end - start;
      low = std::partition_point(low, high, [&](uint32_t id) { return byte_at(pieces_[id].text, depth) < next; });
      high = std::partition_point(low, high, [&](uint32_t id) { return byte_at(pieces_[id].text, depth) == next; });
    }
    if (!has_character) offer(start, character, unknown_score, unknown_);
  }
  return steps;
}

void Unigram::append_unknown(const std::string& bytes, const uint32_t* at, std::vector<Token>& out) const {
  const auto whole = id_of(bytes);
  if (whole && pieces_[static_cast<size_t>(*whole)].plain) return out.push_back({*whole, bytes, at[0]});
  std::vector<Token> spelt;
  for (size_t i = 0; byte_fallback_ && i < bytes.size(); ++i) {
    char name[8];
    std::snprintf(name, sizeof name, "<0x%02X>", byte_at(bytes, i));
    if (const auto id = id_of(name)) spelt.push_back({*id, name, at[i]});
  }
  if (spelt.size() == bytes.size()) {
    out.insert(out.end(), spelt.begin(), spelt.end());
  } else {
    out.push_back({unknown_, bytes, at[0]});
  }
}

void Unigram::tokenize(const Glyphs& word, std::vector<Token>& out) const {
  std::string bytes;
  std::vector<uint32_t> at;
  for (const auto& glyph : word) {
    append_utf8(bytes, glyph.c);
    at.resize(bytes.size(), glyph.at);
  }
  const std::vector<Step> steps = sums_ == Sums::in_float ? best_steps<float>(bytes) : best_steps<double>(bytes);
  std::vector<std::pair<size_t, size_t>> spans;
  std::vector<int64_t> ids;
  for (size_t end = bytes.size(); end > 0;) {
    const auto start = static_cast<size_t>(steps[end].start);
    if (!ids.empty() && ids.back() == unknown_ && steps[end].id == unknown_) {
      spans.back().first = start;
    } else {
      spans.emplace_back(start, end);
      ids.push_back(steps[end].id);
    }
    end = start;
  }
  for (size_t i = spans.size(); i-- > 0;) {
    const auto [start, end] = spans[i];
    std::string piece = bytes.substr(start, end - start);
    if (ids[i] == unknown_) {
      append_unknown(piece, &at[start], out);
    } else {
      out.push_back({ids[i], std::move(piece), at[start]});
    }
  }
}

std::unique_ptr<TokenModel> read_unigram(const json& object, const JsonPlace& place) {
  const json& vocabulary = array_member(object, "vocab", place);
  require(!vocabulary.empty(), ErrorKind::config, (place / "vocab").text(), ": expected pieces, found none");
  std::vector<Unigram::Piece> pieces;
  pieces.reserve(vocabulary.size());
  for (const auto& entry : vocabulary) {
    const bool pair = entry.is_array() && entry.size() == 2 && entry[0].is_string() && entry[1].is_number();
    require(pair && !entry[0].get_ref<const std::string&>().empty(), ErrorKind::config, (place / "vocab").text(),
            ": entry ", pieces.size(), ": expected [piece, score], found ", printable(entry.dump(), 60));
    pieces.push_back({entry[0].get<std::string>(), entry[1].get<double>()});
  }
  const int64_t unknown = id_member(object, "unk_id", place), count = static_cast<int64_t>(pieces.size());
  require(unknown < count, ErrorKind::config, (place / "unk_id").text(), ": expected below ", count, ", found ",
          unknown);
  const bool byte_fallback = bool_member(object, "byte_fallback", place, false);
  return std::make_unique<Unigram>(std::move(pieces), unknown, byte_fallback, Unigram::Sums::in_double, place);
}

}  // namespace keyflow::text
