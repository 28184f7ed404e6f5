#pragma once
#include <cstdint>
#include <string>
#include <string_view>

// Integers inside file bytes. The caller has checked that they lie within.
namespace keyflow::media {

inline uint32_t byte_at(std::string_view b, size_t i) { return static_cast<unsigned char>(b[i]); }
inline uint32_t be16(std::string_view b, size_t i) { return byte_at(b, i) << 8 | byte_at(b, i + 1); }
inline uint32_t be32(std::string_view b, size_t i) { return be16(b, i) << 16 | be16(b, i + 2); }
inline uint64_t be64(std::string_view b, size_t i) { return uint64_t{be32(b, i)} << 32 | be32(b, i + 4); }
inline uint32_t le16(std::string_view b, size_t i) { return byte_at(b, i + 1) << 8 | byte_at(b, i); }
inline uint32_t le32(std::string_view b, size_t i) { return le16(b, i + 2) << 16 | le16(b, i); }

inline void put_be16(std::string& out, uint32_t value) {
  out += static_cast<char>(value >> 8);
  out += static_cast<char>(value);
}
inline void put_be32(std::string& out, uint32_t value) {
  put_be16(out, value >> 16);
  put_be16(out, value);
}
inline void put_le16(std::string& out, uint32_t value) {
  out += static_cast<char>(value);
  out += static_cast<char>(value >> 8);
}
inline void put_le32(std::string& out, uint32_t value) {
  put_le16(out, value);
  put_le16(out, value >> 16);
}

}  // namespace keyflow::media
