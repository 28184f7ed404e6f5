#include "text/protobuf.h"

#include <cstring>

#include "core/error.h"

namespace keyflow::text {

void ProtobufReader::check(bool good, const char* what) const {
  require(good, ErrorKind::config, *where_, ": offset ", base_ + at_, ": not a sentencepiece model; ", what);
}

uint64_t ProtobufReader::varint() {
  uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    check(at_ < bytes_.size(), "a number ends behind its message");
    const auto byte = static_cast<unsigned char>(bytes_[at_++]);
    value |= static_cast<uint64_t>(byte & 0x7F) << shift;
    if (byte < 0x80) return value;
  }
  check(false, "a number of more than 64 bits");
  return 0;
}

uint64_t ProtobufReader::fixed(size_t size) {
  check(size <= bytes_.size() - at_, "a number ends behind its message");
  uint64_t value = 0;
  std::memcpy(&value, bytes_.data() + at_, size);
  at_ += size;
  return value;
}

std::string_view ProtobufReader::chunk() {
  const uint64_t size = varint();
  check(size <= bytes_.size() - at_, "a field ends behind its message");
  const std::string_view bytes = bytes_.substr(at_, size);
  at_ += size;
  return bytes;
}

bool ProtobufReader::next(ProtobufField& field) {
  if (at_ == bytes_.size()) return false;
  field = {};
  const uint64_t tag = varint();
  check(tag >> 3 > 0 && tag >> 3 < 1u << 29, "a field without a number");
  field.number = static_cast<uint32_t>(tag >> 3);
  switch (tag & 7) {
    case 0:
      field.value = varint();
      break;
    case 1:
      field.value = fixed(8);
      break;
    case 2:
      field.bytes = chunk();
      field.is_bytes = true;
      break;
    case 5:
      field.value = fixed(4);
      break;
    default:
      check(false, "a field of unknown type");
  }
  return true;
}

ProtobufReader ProtobufReader::message(const ProtobufField& field) const {
  check(field.is_bytes, "a number where a message belongs");
  return {field.bytes, *where_, base_ + static_cast<size_t>(field.bytes.data() - bytes_.data())};
}

}  // namespace keyflow::text
