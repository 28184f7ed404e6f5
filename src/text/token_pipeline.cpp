#include "text/token_pipeline.h"

#include <algorithm>

#include "core/error.h"
#include "text/unicode.h"

namespace keyflow::text {
namespace {

class PipelineTokenizer final : public Tokenizer {
 public:
  explicit PipelineTokenizer(TokenPipeline pipeline) : pipeline_(std::move(pipeline)) {
    size_ = pipeline_.model->size();
    for (const auto& token : pipeline_.added.all()) size_ = std::max(size_, token.id + token.vectors);
    for (const auto* side : {&pipeline_.frame.before, &pipeline_.frame.after}) {
      for (const auto& token : *side) size_ = std::max(size_, token.id + 1);
    }
  }

  Tokens encode(std::string_view text, int64_t limit) const override {
    require_prompt(text);
    const size_t enough = pipeline_.frame.enough(limit);
    std::vector<Token> tokens;
    for (const auto& outer : pipeline_.added.split(glyphs_of(text), /*normalized=*/false)) {
      if (tokens.size() >= enough) break;
      if (take(outer, tokens)) continue;
      for (const auto& span : pipeline_.added.split(pipeline_.normalize(outer.glyphs), /*normalized=*/true)) {
        if (!take(span, tokens)) tokenize(span.glyphs, enough, tokens);
      }
    }
    return pipeline_.frame.apply(text, tokens, limit);
  }

  std::shared_ptr<Tokenizer> with_words(const std::vector<LearnedWord>& words) const override {
    require(pipeline_.kind == "clip bpe", ErrorKind::unsupported, "learned embeddings need a CLIP tokenizer, found ",
            pipeline_.kind);
    std::vector<AddedToken> added = pipeline_.added.all();
    for (const auto& word : words) {
      added.push_back(added_token(word));
      const AddedToken& token = added.back();
      const bool alone = std::none_of(added.begin(), added.end() - 1, [&](const AddedToken& other) {
        return other.content == token.content && other.id != token.id;
      });
      require(alone, ErrorKind::usage, "embedding \"", printable(word.text), "\": there are two of that name");
    }
    TokenPipeline extended = pipeline_;
    extended.added = AddedTokens(std::move(added));
    return std::make_shared<PipelineTokenizer>(std::move(extended));
  }

  int64_t vectors(int64_t id) const override {
    const auto& added = pipeline_.added.all();
    const auto found =
        std::find_if(added.begin(), added.end(), [&](const AddedToken& token) { return token.id == id; });
    return found == added.end() ? 1 : found->vectors;
  }

  size_t tokens_before() const override { return pipeline_.frame.before.size(); }
  int64_t vocabulary() const override { return size_; }
  int64_t pad_id() const override { return pipeline_.pad; }
  std::string kind() const override { return pipeline_.kind; }

 private:
  static bool take(const AddedTokens::Span& span, std::vector<Token>& tokens) {
    if (!span.token) return false;
    for (int64_t i = 0; i < span.token->vectors; ++i) {
      tokens.push_back({span.token->id + i, span.token->content, span.glyphs.front().at});
    }
    return true;
  }

  /// The word as it stands in normalised text, so that case does not matter.
  AddedToken added_token(const LearnedWord& word) const {
    require_prompt(word.text);
    const std::string shown = "embedding \"" + printable(word.text) + "\"";
    require(word.id >= size_, ErrorKind::usage, shown, ": expected an id from ", size_, " on, found ", word.id);
    require(word.vectors >= 1 && word.vectors <= kMostVectors, ErrorKind::usage, shown, ": expected 1 to ",
            kMostVectors, " vectors, found ", word.vectors);
    const Glyphs content = pipeline_.normalize(glyphs_of(word.text));
    require(!content.empty(), ErrorKind::usage, shown, ": expected a word");
    return {.content = encode_utf8(characters_of(content)),
            .id = word.id,
            .single_word = is_word(content.front().c) && is_word(content.back().c),
            .normalized = true,
            .vectors = word.vectors};
  }

  void tokenize(const Glyphs& text, size_t enough, std::vector<Token>& tokens) const {
    for (const auto& word : pipeline_.split({text})) {
      if (tokens.size() >= enough) return;
      if (!word.empty()) pipeline_.model->tokenize(word, tokens);
    }
  }

  TokenPipeline pipeline_;
  int64_t size_ = 0;
};

}  // namespace

std::shared_ptr<Tokenizer> make_tokenizer(TokenPipeline pipeline) {
  return std::make_shared<PipelineTokenizer>(std::move(pipeline));
}

int64_t find_pad(const TokenPipeline& pipeline, const std::string& named, const JsonPlace& place) {
  const auto find = [&](const std::string& name) -> std::optional<int64_t> {
    const AddedToken* added = pipeline.added.find(name);
    return added ? added->id : pipeline.model->id_of(name);
  };
  if (!named.empty()) {
    const auto id = find(named);
    require(id.has_value(), ErrorKind::config, place.text(), ": padding token \"", printable(named),
            "\" is not in the vocabulary");
    return *id;
  }
  if (const auto id = find("<pad>")) return *id;
  require(!pipeline.frame.after.empty(), ErrorKind::config, place.text(), ": has no padding token");
  return pipeline.frame.after.back().id;
}

}  // namespace keyflow::text
