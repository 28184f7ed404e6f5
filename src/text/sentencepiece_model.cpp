#include "text/sentencepiece_model.h"

#include <cmath>
#include <cstring>

#include "core/error.h"
#include "text/protobuf.h"

namespace keyflow::text {
namespace {

// Field numbers of the format.
constexpr uint32_t kPieces = 1, kTrainer = 2, kNormalizer = 3;
constexpr uint32_t kPieceText = 1, kPieceScore = 2, kPieceType = 3;
constexpr uint32_t kModelType = 3, kSpaceAsSuffix = 24, kByteFallback = 35;
constexpr uint32_t kUnknownPiece = 45, kBeginPiece = 46, kEndPiece = 47, kPadPiece = 48;
constexpr uint32_t kCharsmap = 2, kDummyPrefix = 3, kRemoveExtraSpaces = 4, kEscapeSpaces = 5;
constexpr uint64_t kUnigram = 1;

SentencePieceModel::Piece read_piece(ProtobufReader reader, const std::string& where) {
  SentencePieceModel::Piece piece;
  for (ProtobufField field; reader.next(field);) {
    if (field.number == kPieceText) piece.text = field.bytes;
    if (field.number == kPieceScore) {
      const auto bits = static_cast<uint32_t>(field.value);
      std::memcpy(&piece.score, &bits, sizeof bits);
    }
    if (field.number != kPieceType) continue;
    require(field.value >= 1 && field.value <= 6, ErrorKind::config, where, ": unknown type ", field.value);
    piece.type = static_cast<SentencePieceModel::Type>(field.value);
  }
  require(!piece.text.empty() && first_invalid_byte(piece.text) == piece.text.npos, ErrorKind::config, where,
          ": expected text, found \"", printable(piece.text), "\"");
  require(std::isfinite(piece.score), ErrorKind::config, where, ": expected a finite score, found ", piece.score);
  return piece;
}

void read_trainer(ProtobufReader reader, const std::string& where, SentencePieceModel& model) {
  for (ProtobufField field; reader.next(field);) {
    switch (field.number) {
      case kModelType:
        require(field.value == kUnigram, ErrorKind::unsupported, where, ": model type ", field.value,
                "; supported is 1, unigram");
        break;
      case kSpaceAsSuffix:
        require(field.value == 0, ErrorKind::unsupported, where, ": treats spaces as ends of words");
        break;
      case kByteFallback:
        model.byte_fallback = field.value != 0;
        break;
      case kUnknownPiece:
        model.unknown_piece = field.bytes;
        break;
      case kBeginPiece:
        model.begin_piece = field.bytes;
        break;
      case kEndPiece:
        model.end_piece = field.bytes;
        break;
      case kPadPiece:
        model.pad_piece = field.bytes;
        break;
      default:
        break;
    }
  }
}

void read_normalizer_section(ProtobufReader reader, SentencePieceModel& model) {
  for (ProtobufField field; reader.next(field);) {
    switch (field.number) {
      case kCharsmap:
        model.charsmap = field.bytes;
        break;
      case kDummyPrefix:
        model.dummy_prefix = field.value != 0;
        break;
      case kRemoveExtraSpaces:
        model.remove_extra_spaces = field.value != 0;
        break;
      case kEscapeSpaces:
        model.escape_spaces = field.value != 0;
        break;
      default:
        break;
    }
  }
}

}  // namespace

SentencePieceModel parse_sentencepiece(std::string_view bytes, const std::string& where) {
  require(!bytes.empty(), ErrorKind::config, where, ": expected a sentencepiece model, found 0 bytes");
  SentencePieceModel model;
  bool trainer = false, normalizer = false;
  int64_t unknown = 0;
  ProtobufReader reader(bytes, where);
  for (ProtobufField field; reader.next(field);) {
    if (field.number == kPieces) {
      model.pieces.push_back(
          read_piece(reader.message(field), where + ": piece " + std::to_string(model.pieces.size())));
      unknown += model.pieces.back().type == SentencePieceModel::Type::unknown;
    } else if (field.number == kTrainer) {
      trainer = true;
      read_trainer(reader.message(field), where, model);
    } else if (field.number == kNormalizer) {
      normalizer = true;
      read_normalizer_section(reader.message(field), model);
    }
  }
  require(!model.pieces.empty(), ErrorKind::config, where, ": expected pieces, found none");
  require(trainer && normalizer, ErrorKind::config, where, ": the ", trainer ? "normalizer" : "trainer",
          " section is missing behind ", model.pieces.size(), " pieces; hint: the file may be cut off");
  require(unknown == 1, ErrorKind::config, where, ": expected one unknown piece, found ", unknown);
  return model;
}

}  // namespace keyflow::text
