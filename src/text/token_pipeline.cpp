#include "text/token_pipeline.h"

#include "core/error.h"

namespace keyflow::text {
namespace {

class PipelineTokenizer final : public Tokenizer {
 public:
  explicit PipelineTokenizer(TokenPipeline pipeline) : pipeline_(std::move(pipeline)) {
    size_ = pipeline_.model->size();
    for (const auto& token : pipeline_.added.all()) size_ = std::max(size_, token.id + 1);
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

  int64_t vocabulary() const override { return size_; }
  int64_t pad_id() const override { return pipeline_.pad; }
  std::string kind() const override { return pipeline_.kind; }

 private:
  static bool take(const AddedTokens::Span& span, std::vector<Token>& tokens) {
    if (!span.token) return false;
    tokens.push_back({span.token->id, span.token->content, span.glyphs.front().at});
    return true;
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
