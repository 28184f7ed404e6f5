#include "text/prompt_chunks.h"

#include <algorithm>
#include <optional>

#include "core/error.h"

namespace keyflow::text {
namespace {

struct WeightedToken {
  int64_t id;
  double weight;
  std::string piece;
};

/// The tokens of a vocabulary's template: `before` the text and after it.
struct Frame {
  explicit Frame(const Tokenizer& tokenizer) : tokens(tokenizer.encode("", 0)), before(tokenizer.tokens_before()) {}
  size_t size() const { return tokens.ids.size(); }
  Tokens tokens;
  size_t before;
};

/// The tokens of a piece without the template.
std::vector<WeightedToken> body_of(const Tokens& tokens, const Frame& frame, double weight) {
  std::vector<WeightedToken> body;
  const size_t end = tokens.ids.size() - (frame.size() - frame.before);
  for (size_t i = frame.before; i < end; ++i) body.push_back({tokens.ids[i], weight, tokens.pieces[i]});
  return body;
}

TokenRow make_row(const Tokenizer& tokenizer, const Frame& frame, const std::vector<WeightedToken>& body,
                  size_t length) {
  TokenRow row;
  const auto add = [&](int64_t id, double weight, const std::string& piece) {
    row.ids.push_back(id);
    row.weights.push_back(weight);
    row.pieces.push_back(piece);
  };
  for (size_t i = 0; i < frame.before; ++i) add(frame.tokens.ids[i], 1, frame.tokens.pieces[i]);
  for (const auto& token : body) add(token.id, token.weight, token.piece);
  for (size_t i = frame.before; i < frame.size(); ++i) add(frame.tokens.ids[i], 1, frame.tokens.pieces[i]);
  row.used = row.ids.size();
  while (row.ids.size() < length) add(tokenizer.pad_id(), 1, "");
  return row;
}

/// Fills rows with tokens, one after the other.
class Chunker {
 public:
  Chunker(const Tokenizer& tokenizer, const ChunkRule& rule) : tokenizer_(tokenizer), rule_(rule), frame_(tokenizer) {
    require(frame_.size() == 2 && frame_.before == 1, ErrorKind::config,
            "tokenizer: expected one token before and one behind a text, found ", frame_.before, " and ",
            frame_.size() - frame_.before, "; hint: prompts in chunks need a CLIP tokenizer");
    require(rule_.length > frame_.size(), ErrorKind::usage, "tokens: expected a length over ", frame_.size(),
            ", found ", rule_.length);
    const auto comma = body_of(tokenizer.encode(",", 0), frame_, 1);
    if (comma.size() == 1) comma_ = comma[0].id;
  }

  PromptTokens run(const Prompt& prompt) {
    for (const auto& piece : prompt.pieces) {
      if (piece.breaks) next_row();
      const auto body = body_of(tokenizer_.encode(piece.text, 0), frame_, piece.weight);
      for (size_t i = 0; i < body.size();) {
        const auto count = static_cast<size_t>(tokenizer_.vectors(body[i].id));
        add(body, i, std::min(count, body.size() - i));
        i += count;
      }
    }
    if (!row_.empty() || tokens_.rows.empty()) next_row();
    return std::move(tokens_);
  }

 private:
  /// Tokens of the text that a row holds.
  size_t room() const { return rule_.length - frame_.size(); }

  void next_row() {
    tokens_.rows.push_back(make_row(tokenizer_, frame_, row_, rule_.length));
    row_.clear();
    behind_comma_.reset();
  }

  /// Tokens [first, first + count), which must not be parted.
  void add(const std::vector<WeightedToken>& body, size_t first, size_t count) {
    const bool full = row_.size() == room();
    if (comma_ && body[first].id == *comma_) {
      behind_comma_ = row_.size() + 1;
    } else if (full && behind_comma_ && row_.size() + 1 - *behind_comma_ <= rule_.comma_window) {
      const std::vector<WeightedToken> moved(row_.begin() + static_cast<int64_t>(*behind_comma_), row_.end());
      row_.resize(*behind_comma_);
      next_row();
      row_ = moved;
    }
    if (row_.size() + count > room()) next_row();
    row_.insert(row_.end(), body.begin() + static_cast<int64_t>(first),
                body.begin() + static_cast<int64_t>(first + count));
  }

  const Tokenizer& tokenizer_;
  const ChunkRule& rule_;
  Frame frame_;
  std::optional<int64_t> comma_;
  std::vector<WeightedToken> row_;
  std::optional<size_t> behind_comma_;  // the place behind the last comma of the row
  PromptTokens tokens_;
};

}  // namespace

bool PromptTokens::weighted() const {
  return std::any_of(rows.begin(), rows.end(), [](const TokenRow& row) {
    return std::any_of(row.weights.begin(), row.weights.end(), [](double weight) { return weight != 1; });
  });
}

PromptTokens chunked_tokens(const Tokenizer& tokenizer, const Prompt& prompt, const ChunkRule& rule) {
  return Chunker(tokenizer, rule).run(prompt);
}

PromptTokens fixed_tokens(const Tokenizer& tokenizer, const Prompt& prompt, size_t length) {
  const Frame frame(tokenizer);
  require(frame.size() > frame.before, ErrorKind::config, "tokenizer: expected an end token, found none");
  require(length >= frame.size(), ErrorKind::usage, "tokens: expected a length of at least ", frame.size(), ", found ",
          length);
  PromptTokens tokens;
  std::vector<WeightedToken> row;
  for (size_t i = 0; i < prompt.pieces.size(); ++i) {
    const size_t room = length - frame.size() - row.size();
    const PromptPiece& piece = prompt.pieces[i];
    const Tokens part = tokenizer.encode(piece.text, static_cast<int64_t>(room + frame.size()));
    const auto body = body_of(part, frame, piece.weight);
    row.insert(row.end(), body.begin(), body.end());
    if (part.lost.empty()) continue;
    const std::string rest = text_of(prompt, i + 1);
    tokens.lost = part.lost + (i + 1 < prompt.pieces.size() && prompt.pieces[i + 1].breaks ? " " : "") + rest;
    break;
  }
  tokens.rows.push_back(make_row(tokenizer, frame, row, length));
  return tokens;
}

void add_empty_rows(PromptTokens& tokens, const Tokenizer& tokenizer, size_t rows) {
  const size_t length = tokens.rows.empty() ? kClipTokens : tokens.rows.front().ids.size();
  const Frame frame(tokenizer);
  while (tokens.rows.size() < rows) tokens.rows.push_back(make_row(tokenizer, frame, {}, length));
}

}  // namespace keyflow::text
