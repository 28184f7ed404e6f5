#include "core/sha256.h"

#include <gtest/gtest.h>

namespace keyflow {
namespace {

// FIPS 180-4 example messages; the others from Python's hashlib.
TEST(Sha256, KnownMessages) {
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha256_hex(std::string(1'000'000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, PaddingAtEveryLengthAroundABlock) {
  // sha256 over the hashes of "x" * n for n = 0 .. 130, each as text
  Sha256 all;
  for (size_t n = 0; n <= 130; ++n) all.update(sha256_hex(std::string(n, 'x')));
  EXPECT_EQ(all.hex(), "87aca1c44bc7ba8897768170211f0a02063de70801131ff86c7edb9ce32c6a50");
}

TEST(Sha256, PiecesGiveTheSameAsTheWhole) {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += static_cast<char>(i * 7);
  for (const size_t piece : {1u, 3u, 63u, 64u, 65u, 200u}) {
    Sha256 hash;
    for (size_t at = 0; at < text.size(); at += piece) hash.update(std::string_view(text).substr(at, piece));
    EXPECT_EQ(hash.hex(), sha256_hex(text)) << piece;
  }
}

TEST(Sha256, NumbersAreLittleEndian) {
  Sha256 number;
  number.update_number(0x0102030405060708);
  EXPECT_EQ(number.hex(), sha256_hex("\x08\x07\x06\x05\x04\x03\x02\x01"));
}

}  // namespace
}  // namespace keyflow
