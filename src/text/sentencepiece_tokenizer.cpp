#include <sentencepiece_processor.h>

#include "core/error.h"
#include "core/files.h"
#include "text/added_tokens.h"
#include "text/sentencepiece_file.h"
#include "text/token_frame.h"
#include "text/tokenizer_config.h"
#include "text/tokenizer_files.h"

namespace keyflow::text {
namespace {

using sentencepiece::SentencePieceProcessor;

class SentencePieceTokenizer final : public Tokenizer {
 public:
  SentencePieceTokenizer(const std::string& model, const TokenizerConfig& config, const std::string& file) {
    const auto status = processor_.LoadFromSerializedProto(model);
    require(status.ok(), ErrorKind::config, file, ": ", printable(status.ToString()));
    require_control(processor_.eos_id(), "end (\"</s>\")", file);
    require_control(processor_.pad_id(), "padding (\"<pad>\")", file);
    frame_.after = {{processor_.eos_id(), processor_.IdToPiece(processor_.eos_id()), 0}};
    added_ = AddedTokens(added_tokens(config));
    size_ = processor_.GetPieceSize();
    for (const auto& token : added_.all()) size_ = std::max(size_, token.id + 1);
  }

  Tokens encode(std::string_view text, int64_t limit) const override {
    require_prompt(text);
    const size_t enough = frame_.enough(limit);
    std::vector<Token> tokens;
    for (const auto& span : added_.split(glyphs_of(text), /*normalized=*/false)) {
      if (tokens.size() >= enough) break;
      const uint32_t at = span.glyphs.front().at;
      if (span.token) {
        tokens.push_back({span.token->id, span.token->content, at});
      } else {
        append(encode_utf8(characters_of(span.glyphs)), at, tokens);
      }
    }
    return frame_.apply(text, tokens, limit);
  }

  int64_t vocabulary() const override { return size_; }
  int64_t pad_id() const override { return processor_.pad_id(); }
  std::string kind() const override { return "sentencepiece"; }

 private:
  static void require_control(int id, const char* name, const std::string& file) {
    require(id >= 0, ErrorKind::config, file, ": the model has no control piece for the ", name);
  }

  std::vector<AddedToken> added_tokens(const TokenizerConfig& config) const {
    if (!config.added.empty()) return config.added;
    std::vector<AddedToken> added;
    for (const int id : {processor_.pad_id(), processor_.eos_id(), processor_.unk_id()}) {
      added.push_back({.content = processor_.IdToPiece(id), .id = id});
    }
    for (int64_t i = 0; i < config.extra_ids; ++i) {
      const std::string name = "<extra_id_" + std::to_string(config.extra_ids - 1 - i) + ">";
      added.push_back({.content = name, .id = processor_.GetPieceSize() + i});
    }
    return added;
  }

  void append(const std::string& part, uint32_t at, std::vector<Token>& tokens) const {
    sentencepiece::ImmutableSentencePieceText result;
    const auto status = processor_.Encode(part, result.mutable_proto());
    require(status.ok(), ErrorKind::internal, "sentencepiece: ", printable(status.ToString()));
    for (const auto& piece : result.pieces()) tokens.push_back({piece.id(), piece.piece(), at + piece.begin()});
  }

  SentencePieceProcessor processor_;
  AddedTokens added_;
  TokenFrame frame_;
  int64_t size_ = 0;
};

}  // namespace

std::shared_ptr<Tokenizer> open_sentencepiece(const std::filesystem::path& path) {
  const std::string model = read_file(path, 64u << 20), file = printable(path.string(), 400);
  check_sentencepiece_model(model, file);
  return std::make_shared<SentencePieceTokenizer>(model, read_tokenizer_config(path.parent_path()), file);
}

}  // namespace keyflow::text
