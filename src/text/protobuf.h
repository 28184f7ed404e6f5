#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace keyflow::text {

/// One field of a protobuf message: a number (varint or fixed) or bytes.
struct ProtobufField {
  uint32_t number = 0;
  uint64_t value = 0;
  std::string_view bytes;
  bool is_bytes = false;
};

/// Walks the fields of one protobuf message, all in bounds; groups are refused.
/// throws Error::config "where: offset N: ..."
/// source protobuf.dev/programming-guides/encoding
class ProtobufReader {
 public:
  /// `where` must outlive the reader
  ProtobufReader(std::string_view bytes, const std::string& where) : ProtobufReader(bytes, where, 0) {}

  /// False at the end of the message.
  bool next(ProtobufField& field);
  /// The message that a field of this one holds.
  ProtobufReader message(const ProtobufField& field) const;

 private:
  ProtobufReader(std::string_view bytes, const std::string& where, size_t base)
      : bytes_(bytes), where_(&where), base_(base) {}
  void check(bool good, const char* what) const;
  uint64_t varint();
  uint64_t fixed(size_t size);
  std::string_view chunk();

  std::string_view bytes_;
  const std::string* where_;
  size_t base_, at_ = 0;  // offsets in the file, and in this message
};

}  // namespace keyflow::text
