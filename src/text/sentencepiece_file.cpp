#include "text/sentencepiece_file.h"

#include <cmath>
#include <cstring>
#include <functional>
#include <unordered_set>

#include "core/error.h"
#include "text/charsmap.h"
#include "text/utf8.h"

namespace keyflow::text {
namespace {

// Field numbers of the protocol.
constexpr uint32_t kPieces = 1, kTrainer = 2, kNormalizer = 3, kDenormalizer = 5;
constexpr uint32_t kPieceText = 1, kPieceScore = 2, kPieceType = 3;
constexpr uint32_t kModelType = 3;
constexpr uint32_t kNormalizerMap = 2;
constexpr uint64_t kNormalType = 1, kUnknownType = 2, kLastType = 6;
constexpr uint64_t kUnigramModel = 1, kLastModel = 4;

/// One field: a number (varint or fixed) or bytes.
struct Field {
  uint32_t number = 0;
  uint64_t value = 0;
  std::string_view bytes;
  bool is_bytes = false;
  size_t offset = 0;  // in the file
};

/// Walks the fields of one protobuf message. Groups (deprecated) are refused.
class Reader {
 public:
  Reader(std::string_view bytes, size_t base, const std::string& where) : bytes_(bytes), base_(base), where_(where) {}

  bool next(Field& field) {
    if (at_ == bytes_.size()) return false;
    field = {};
    field.offset = base_ + at_;
    const uint64_t tag = varint();
    check(tag >> 3 > 0 && tag >> 3 < 1u << 29, "is no field");
    field.number = static_cast<uint32_t>(tag >> 3);
    switch (tag & 7) {
      case 0:
        field.value = varint();
        break;
      case 1:
        field.value = fixed(8);
        break;
      case 5:
        field.value = fixed(4);
        break;
      case 2: {
        const uint64_t size = varint();
        check(size <= bytes_.size() - at_, "ends behind its message");
        field.bytes = bytes_.substr(at_, size);
        field.is_bytes = true;
        at_ += size;
        break;
      }
      default:
        check(false, "is no field");
    }
    return true;
  }
  size_t base_of(const Field& field) const { return base_ + static_cast<size_t>(field.bytes.data() - bytes_.data()); }

 private:
  void check(bool good, const char* what) const {
    require(good, ErrorKind::config, where_, ": offset ", base_ + at_, ": not a sentencepiece model; a field ", what);
  }
  uint64_t varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      check(at_ < bytes_.size(), "ends behind its message");
      const auto byte = static_cast<unsigned char>(bytes_[at_++]);
      value |= static_cast<uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return value;
    }
    check(false, "is no number");
    return 0;
  }
  uint64_t fixed(size_t size) {
    check(size <= bytes_.size() - at_, "ends behind its message");
    uint64_t value = 0;
    std::memcpy(&value, bytes_.data() + at_, size);
    at_ += size;
    return value;
  }

  std::string_view bytes_;
  size_t base_, at_ = 0;
  const std::string& where_;
};

struct Summary {
  size_t pieces = 0, unknown = 0;
  bool trainer = false, normalizer = false;
  std::unordered_set<std::string_view> texts;
};

void check_piece(Reader reader, const std::string& where, Summary& summary) {
  const std::string here = where + ": piece " + std::to_string(summary.pieces++);
  std::string_view text;
  uint64_t type = kNormalType;
  for (Field field; reader.next(field);) {
    if (field.number == kPieceText) text = field.bytes;
    if (field.number == kPieceType) type = field.value;
    if (field.number != kPieceScore) continue;
    float score = 0;
    const auto bits = static_cast<uint32_t>(field.value);
    std::memcpy(&score, &bits, sizeof score);
    require(std::isfinite(score), ErrorKind::config, here, ": expected a finite score, found ", score);
  }
  require(!text.empty() && first_invalid_byte(text) == text.npos, ErrorKind::config, here, ": expected text, found \"",
          printable(text), "\"");
  require(type >= 1 && type <= kLastType, ErrorKind::config, here, ": unknown type ", type);
  require(summary.texts.insert(text).second, ErrorKind::config, here, ": \"", printable(text), "\" is there twice");
  summary.unknown += type == kUnknownType;
}

void check_trainer(Reader reader, const std::string& where) {
  uint64_t model = kUnigramModel;
  for (Field field; reader.next(field);) {
    if (field.number == kModelType) model = field.value;
  }
  require(model >= 1 && model <= kLastModel, ErrorKind::config, where, ": unknown model type ", model);
}

void check_normalizer(Reader reader, const std::string& where) {
  for (Field field; reader.next(field);) {
    if (field.number == kNormalizerMap && !field.bytes.empty()) Charsmap(field.bytes, where + ": precompiled_charsmap");
  }
}

}  // namespace

void check_sentencepiece_model(std::string_view bytes, const std::string& where) {
  require(!bytes.empty(), ErrorKind::config, where, ": expected a sentencepiece model, found 0 bytes");
  Summary summary;
  Reader reader(bytes, 0, where);
  for (Field field; reader.next(field);) {
    const bool section = field.number == kPieces || field.number == kTrainer || field.number == kNormalizer ||
                         field.number == kDenormalizer;
    if (!section) continue;
    require(field.is_bytes, ErrorKind::config, where, ": offset ", field.offset, ": not a sentencepiece model");
    const Reader inner(field.bytes, reader.base_of(field), where);
    if (field.number == kPieces) check_piece(inner, where, summary);
    if (field.number == kTrainer) check_trainer(inner, where);
    if (field.number == kNormalizer || field.number == kDenormalizer) check_normalizer(inner, where);
    summary.trainer |= field.number == kTrainer;
    summary.normalizer |= field.number == kNormalizer;
  }
  require(summary.pieces > 0, ErrorKind::config, where, ": expected pieces, found none");
  require(summary.trainer && summary.normalizer, ErrorKind::config, where, ": the ",
          summary.trainer ? "normalizer" : "trainer", " section is missing; found ", summary.pieces,
          " pieces; hint: the file may be cut off");
  require(summary.unknown == 1, ErrorKind::config, where, ": expected one unknown piece, found ", summary.unknown);
}

}  // namespace keyflow::text
