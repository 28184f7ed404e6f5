#include "text/added_tokens.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "text/unicode.h"

namespace keyflow::text {

AddedToken read_added_token(const nlohmann::json& json, int64_t id, const JsonPlace& place) {
  AddedToken token;
  token.id = id;
  token.content = string_member(json, "content", place);
  require(!token.content.empty(), ErrorKind::config, (place / "content").text(), ": expected a token, found \"\"");
  token.lstrip = bool_member(json, "lstrip", place, false);
  token.rstrip = bool_member(json, "rstrip", place, false);
  token.single_word = bool_member(json, "single_word", place, false);
  token.normalized = bool_member(json, "normalized", place, false);
  return token;
}

AddedTokens::AddedTokens(std::vector<AddedToken> tokens) : tokens_(std::move(tokens)) {
  for (size_t i = 0; i < tokens_.size(); ++i) {
    std::u32string content = decode_utf8(tokens_[i].content);
    by_first_[content.front()].emplace_back(std::move(content), i);
  }
  for (auto& [first, entries] : by_first_) {
    std::stable_sort(entries.begin(), entries.end(),
                     [](const auto& a, const auto& b) { return a.first.size() > b.first.size(); });
  }
}

const AddedToken* AddedTokens::find(const std::string& content) const {
  const auto found =
      std::find_if(tokens_.begin(), tokens_.end(), [&](const AddedToken& token) { return token.content == content; });
  return found == tokens_.end() ? nullptr : &*found;
}

const AddedToken* AddedTokens::longest_at(const Glyphs& text, size_t at, bool normalized) const {
  const auto candidates = by_first_.find(text[at].c);
  if (candidates == by_first_.end()) return nullptr;
  for (const auto& [content, index] : candidates->second) {
    if (tokens_[index].normalized != normalized || at + content.size() > text.size()) continue;
    size_t k = 0;
    while (k < content.size() && text[at + k].c == content[k]) ++k;
    if (k == content.size()) return &tokens_[index];
  }
  return nullptr;
}

std::vector<AddedTokens::Span> AddedTokens::split(const Glyphs& text, bool normalized) const {
  std::vector<Span> spans;
  const auto slice = [&](size_t begin, size_t end) {
    return Glyphs(text.begin() + static_cast<int64_t>(begin), text.begin() + static_cast<int64_t>(end));
  };
  size_t done = 0;
  for (size_t at = 0; at < text.size();) {
    const AddedToken* token = longest_at(text, at, normalized);
    if (!token) {
      ++at;
      continue;
    }
    size_t begin = at, end = at + decode_utf8(token->content).size();
    at = end;
    const bool touched = (begin > 0 && is_word(text[begin - 1].c)) || (end < text.size() && is_word(text[end].c));
    if (token->single_word && touched) continue;
    while (token->lstrip && begin > done && is_white_space(text[begin - 1].c)) --begin;
    while (token->rstrip && end < text.size() && is_white_space(text[end].c)) ++end;
    if (begin > done) spans.push_back({slice(done, begin)});
    spans.push_back({slice(begin, end), token});
    done = end;
    at = std::max(at, end);
  }
  if (done < text.size()) spans.push_back({slice(done, text.size())});
  return spans;
}

}  // namespace keyflow::text
