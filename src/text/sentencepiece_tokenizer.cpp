#include "core/error.h"
#include "core/files.h"
#include "text/sentencepiece_model.h"
#include "text/token_pipeline.h"
#include "text/tokenizer_config.h"
#include "text/tokenizer_files.h"
#include "text/unigram.h"

namespace keyflow::text {
namespace {

using Type = SentencePieceModel::Type;

/// A user-defined piece gets a score that no division into other pieces can beat.
/// source sentencepiece@0.2.3:src/unigram_model.cc GetUserDefinedScore
double score_of(const SentencePieceModel::Piece& piece) {
  return piece.type == Type::user_defined ? 0.1 * static_cast<double>(piece.text.size() - 1) : piece.score;
}

std::shared_ptr<const Unigram> make_model(const SentencePieceModel& model, const JsonPlace& place) {
  int64_t unknown = 0;
  std::vector<Unigram::Piece> pieces;
  for (const auto& piece : model.pieces) {
    if (piece.type == Type::unknown) unknown = static_cast<int64_t>(pieces.size());
    const bool plain = piece.type == Type::normal || piece.type == Type::user_defined;
    pieces.push_back({piece.text, score_of(piece), plain});
  }
  return std::make_shared<Unigram>(std::move(pieces), unknown, model.byte_fallback, Unigram::Sums::in_float, place);
}

/// The id of a control piece; nothing if the model has none of that name.
std::optional<int64_t> control(const SentencePieceModel& model, const std::string& name) {
  for (size_t id = 0; id < model.pieces.size(); ++id) {
    if (model.pieces[id].text == name && model.pieces[id].type == Type::control) return static_cast<int64_t>(id);
  }
  return std::nullopt;
}

std::vector<AddedToken> added_tokens(const SentencePieceModel& model, const TokenizerConfig& config) {
  if (!config.added.empty()) return config.added;
  std::vector<AddedToken> added;
  for (size_t id = 0; id < model.pieces.size(); ++id) {
    const auto& piece = model.pieces[id];
    const bool special = piece.type == Type::control || piece.type == Type::unknown;
    if (special) added.push_back({.content = piece.text, .id = static_cast<int64_t>(id)});
  }
  for (int64_t i = 0; i < config.extra_ids; ++i) {
    added.push_back({.content = "<extra_id_" + std::to_string(config.extra_ids - 1 - i) + ">",
                     .id = static_cast<int64_t>(model.pieces.size()) + i});
  }
  return added;
}

}  // namespace

std::shared_ptr<Tokenizer> open_sentencepiece(const std::filesystem::path& path) {
  const JsonPlace place{printable(path.string(), 400), ""};
  const SentencePieceModel model = parse_sentencepiece(read_file(path, 64u << 20), place.file);
  const auto end = control(model, model.end_piece), pad = control(model, model.pad_piece);
  require(end && pad, ErrorKind::config, place.file, ": the model has no control piece \"",
          printable(end ? model.pad_piece : model.end_piece), "\"");
  TokenPipeline pipeline;
  pipeline.added = AddedTokens(added_tokens(model, read_tokenizer_config(path.parent_path())));
  pipeline.normalize = sentencepiece_normalizer(model, place.file);
  pipeline.split = [](std::vector<Glyphs> whole) { return whole; };
  pipeline.model = make_model(model, place);
  pipeline.frame.after = {{*end, model.end_piece, 0}};
  pipeline.pad = *pad;
  pipeline.kind = "sentencepiece";
  return make_tokenizer(std::move(pipeline));
}

}  // namespace keyflow::text
