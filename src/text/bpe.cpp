#include "text/bpe.h"

#include <nlohmann/json.hpp>
#include <queue>

#include "core/error.h"

namespace keyflow::text {
namespace {

using nlohmann::json;

constexpr size_t kNone = static_cast<size_t>(-1);

uint64_t pair_key(int64_t left, int64_t right) {
  return static_cast<uint64_t>(left) << 32 | static_cast<uint64_t>(right);
}

}  // namespace

Bpe::Bpe(Vocabulary vocabulary, const std::vector<Merge>& merges, std::string suffix, const std::string& unknown,
         const JsonPlace& place)
    : vocabulary_(std::move(vocabulary)), suffix_(std::move(suffix)) {
  int64_t largest = -1;
  for (const auto& [piece, id] : vocabulary_) largest = std::max(largest, id);
  pieces_.resize(static_cast<size_t>(largest + 1));
  for (const auto& [piece, id] : vocabulary_) pieces_[static_cast<size_t>(id)] = piece;
  const auto require_id = [&](const std::string& piece, const std::string& where) {
    const auto id = id_of(piece);
    require(id.has_value(), ErrorKind::config, place.file, ": ", where, ": \"", printable(piece),
            "\" is not in the vocabulary");
    return *id;
  };
  unknown_ = require_id(unknown, "the token for unknown characters");
  for (uint32_t rank = 0; rank < merges.size(); ++rank) {
    const auto& [left, right, where] = merges[rank];
    const uint64_t key = pair_key(require_id(left, where), require_id(right, where));
    rules_.insert_or_assign(key, Rule{rank, require_id(left + right, where)});
  }
}

std::optional<int64_t> Bpe::id_of(const std::string& piece) const {
  const auto found = vocabulary_.find(piece);
  if (found == vocabulary_.end()) return std::nullopt;
  return found->second;
}

const Bpe::Rule* Bpe::rule(const std::vector<Symbol>& symbols, size_t left) const {
  if (left == kNone || symbols[left].id < 0 || symbols[left].next == kNone) return nullptr;
  const auto found = rules_.find(pair_key(symbols[left].id, symbols[symbols[left].next].id));
  return found == rules_.end() ? nullptr : &found->second;
}

void Bpe::merge(std::vector<Symbol>& symbols) const {
  struct Candidate {
    uint32_t rank;
    size_t left;
    int64_t id;
    bool operator<(const Candidate& other) const {  // the queue gives the largest first
      return rank != other.rank ? rank > other.rank : left > other.left;
    }
  };
  std::priority_queue<Candidate> queue;
  const auto offer = [&](size_t left) {
    if (const Rule* found = rule(symbols, left)) queue.push({found->rank, left, found->id});
  };
  for (size_t i = 0; i < symbols.size(); ++i) offer(i);
  while (!queue.empty()) {
    const auto [rank, left, id] = queue.top();
    queue.pop();
    const Rule* still = rule(symbols, left);
    if (!still || still->id != id) continue;
    Symbol& kept = symbols[left];
    Symbol& absorbed = symbols[kept.next];
    absorbed.id = -1;
    kept.id = id;
    kept.next = absorbed.next;
    if (kept.next != kNone) symbols[kept.next].previous = left;
    offer(kept.previous);
    offer(left);
  }
}

void Bpe::tokenize(const Glyphs& word, std::vector<Token>& out) const {
  std::vector<Symbol> symbols;
  for (size_t i = 0; i < word.size(); ++i) {
    const bool last = i + 1 == word.size();
    std::string character;
    append_utf8(character, word[i].c);
    const auto id = id_of(last ? character + suffix_ : character);
    symbols.push_back({id.value_or(unknown_), word[i].at, i ? i - 1 : kNone, last ? kNone : i + 1});
  }
  merge(symbols);
  for (const auto& symbol : symbols) {
    if (symbol.id >= 0) out.push_back({symbol.id, pieces_[static_cast<size_t>(symbol.id)], symbol.at});
  }
}

Bpe::Vocabulary read_vocabulary(const json& object, const JsonPlace& place) {
  // Gaps in the ids are harmless, but the list of pieces must not be sized by one wild number of the file.
  constexpr int64_t kMostIds = 4'000'000;
  require_object(object, place);
  Bpe::Vocabulary vocabulary;
  std::unordered_map<int64_t, const std::string*> owners;
  for (const auto& [piece, value] : object.items()) {
    const JsonPlace entry{place.text(), "\"" + printable(piece) + "\""};
    const int64_t id = id_value(value, entry);
    require(id < kMostIds, ErrorKind::config, entry.text(), ": expected an id below ", kMostIds, ", found ", id);
    const auto stored = vocabulary.emplace(piece, id).first;
    const auto [owner, fresh] = owners.emplace(id, &stored->first);
    require(fresh, ErrorKind::config, entry.text(), ": id ", id, " is that of \"", printable(*owner->second), "\" too");
  }
  return vocabulary;
}

std::unique_ptr<TokenModel> read_bpe(const json& object, const JsonPlace& place) {
  const bool plain = object.value("dropout", json()).is_null() && !bool_member(object, "fuse_unk", place, false) &&
                     !bool_member(object, "byte_fallback", place, false) &&
                     !bool_member(object, "ignore_merges", place, false) &&
                     string_member(object, "continuing_subword_prefix", place, "").empty();
  require(plain, ErrorKind::unsupported, place.text(),
          ": dropout, fuse_unk, byte_fallback, ignore_merges or continuing_subword_prefix is set; expected plain BPE");
  std::vector<Bpe::Merge> merges;
  for (const auto& entry : array_member(object, "merges", place)) {
    const std::string where = "merges entry " + std::to_string(merges.size());
    std::string left, right;
    if (entry.is_string()) {  // up to tokenizers 0.19; later "left", "right"
      const std::string text = entry.get<std::string>();
      const size_t space = text.find(' ');
      left = text.substr(0, space);
      right = space == text.npos ? "" : text.substr(space + 1);
    } else if (entry.is_array() && entry.size() == 2 && entry[0].is_string() && entry[1].is_string()) {
      left = entry[0].get<std::string>();
      right = entry[1].get<std::string>();
    }
    require(!left.empty() && !right.empty() && right.find(' ') == right.npos, ErrorKind::config, place.file, ": ",
            where, ": expected two pieces, found ", printable(entry.dump(), 60));
    merges.push_back({left, right, where});
  }
  return std::make_unique<Bpe>(read_vocabulary(object_member(object, "vocab", place), place / "vocab"), merges,
                               string_member(object, "end_of_word_suffix", place, ""),
                               string_member(object, "unk_token", place), place);
}

}  // namespace keyflow::text
