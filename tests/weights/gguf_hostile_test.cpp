// robustness.md §4, every row.
#include "tests/weights/gguf_bytes.h"

namespace keyflow::weights::testing {
namespace {

using namespace std::string_literals;

constexpr uint32_t kF32 = 0, kQ8 = 8, kU32 = 4, kI32 = 5, kText = 8, kArray = 9;
const std::string kA = "tensor \"a\"";

Hostile row(std::string id, std::string bytes, std::vector<std::string> names, ErrorKind kind = ErrorKind::weights) {
  return bytes_row(std::move(id), std::move(bytes), std::move(names), kind, "model.gguf");
}

std::string start(uint64_t tensors, uint64_t keys, uint32_t version = 3) {
  return "GGUF" + little(version, 4) + little(tensors, 8) + little(keys, 8);
}

/// One tensor `a` of the given dimensions and type.
std::string one(const std::vector<uint64_t>& dims, uint32_t type, uint64_t offset = 0, size_t zeros = 64) {
  return gguf_file({gguf_tensor("a", dims, type, offset)}, {}, zeros);
}

/// A sound tensor behind one key.
std::string keyed(const std::string& key) { return gguf_file({gguf_tensor("a", {4}, kF32, 0)}, {key}, 32); }

std::string nested_arrays(size_t depth) {
  std::string bytes;
  for (size_t i = 0; i < depth; ++i) bytes += little(kArray, 4) + little(1, 8);
  return bytes + little(kU32, 4) + little(0, 8);
}

std::string shaped(const std::string& value, uint32_t type = kArray) {
  return gguf_file({gguf_tensor("a", {4}, kF32, 0)}, {gguf_key("comfy.gguf.orig_shape.a", type, value)}, 32);
}

std::vector<Hostile> start_rows() {
  std::vector<Hostile> rows{
      row("G01", "GGUF", {"expected 24 bytes", "found 4"}),
      row("G01_23", "GGUF" + std::string(19, '\3'), {"expected 24 bytes", "found 23"}),
      row("G02", start(uint64_t{1} << 40, uint64_t{1} << 40), {"1099511627776 tensors", "24 bytes"}),
      row("G02_keys", start(1, uint64_t{1} << 40) + std::string(100, '\0'), {"1099511627776 keys", "124 bytes"}),
      row("G02_none", start(0, 0), {"found 0"}),
      row("G03_big_endian", "GGUF\0\0\0\3"s + std::string(16, '\0'), {"version 50331648", "big-endian"},
          ErrorKind::unsupported),
  };
  for (const uint32_t version : {0u, 1u, 4u, 1u << 31}) {
    rows.push_back(row(c10::str("G03_", version), start(1, 0, version), {c10::str("version ", version), "2 or 3"}));
  }
  return rows;
}

std::vector<Hostile> tensor_rows() {
  const uint64_t huge = uint64_t{1} << 31;
  return {
      row("G04", one({4}, 999), {kA, "999"}),
      row("G04_known", one({256}, 16), {kA, "IQ2_XXS", "16"}, ErrorKind::unsupported),
      row("G05", one({huge, huge, 4, 1}, kF32), {kA, "overflows"}),
      row("G05_blocks", one({huge, huge, 4, 1}, kQ8), {kA, "overflows"}),
      row("G05_zero", one({0, huge, huge, 4}, kF32), {kA, "overflows"}),
      row("G05_negative", one({uint64_t{1} << 63}, kF32), {kA, "9223372036854775808"}),
      row("G06", one({1, 1, 1, 1, 1, 1}, kF32), {kA, "rank 6", "at most 5"}),
      row("G06_huge", gguf_file({gguf_text("a") + little(0xFFFFFFFF, 4) + std::string(100, '\0')}),
          {kA, "rank 4294967295"}),
      row("G10_unaligned", one({4}, kF32, 4), {kA, "offset 4", "alignment 32"}),
      row("G10_beyond", one({4}, kF32, 64), {kA, "16 bytes at offset 64", "64 data bytes"}),
      row("G10_no_data", one({4}, kF32, 0, 0), {kA, "16 bytes at offset 0", "0 data bytes"}),
      row("G10_far", one({4}, kF32, ~uint64_t{31}), {kA, "18446744073709551584"}),
      row("G10_overlap", gguf_file({gguf_tensor("a", {16}, kF32, 0), gguf_tensor("b", {4}, kF32, 32)}, {}, 64),
          {"\"b\" at offset 32", "\"a\" of 64 bytes at 0"}),
      row("G10_twice", gguf_file({gguf_tensor("a", {4}, kF32, 0), gguf_tensor("a", {4}, kF32, 32)}, {}, 64),
          {kA, "twice"}),
      row("G11", one({48, 2}, kQ8, 0, 256), {kA, "q8_0", "48", "32"}),
      row("G11_scalar", one({}, kQ8), {kA, "q8_0", "1", "32"}),
  };
}

std::vector<Hostile> text_rows() {
  const auto tensor = [](const std::string& length, const std::string& name) {
    return gguf_file({length + name + little(0, 4) + little(kF32, 4) + little(0, 8)}, {}, 32);
  };
  return {
      row("G07_huge", tensor(little(uint64_t{1} << 63, 8), "a"), {"offset 24", "9223372036854775808"}),
      row("G07_past", gguf_file({gguf_text("ab") + std::string(15, '\0')}), {"offset"}),
      row("G07_long", gguf_file({gguf_tensor(std::string(1 << 16, 'n'), {4}, kF32, 0)}, {}, 32),
          {"offset 24", "65536", "4096"}),
      row("G07_nul", gguf_file({gguf_tensor("a\0b"s, {4}, kF32, 0)}, {}, 32), {"a\\x00b", "control"}),
      row("G07_empty", gguf_file({gguf_tensor("", {4}, kF32, 0)}, {}, 32), {"is empty"}),
      row("G07_key", keyed(gguf_key("k\x1b[31m", kU32, little(1, 4))), {"k\\x1b[31m", "control"}),
      row("G07_key_huge", start(1, 1) + little(uint64_t{1} << 62, 8) + std::string(64, 'x'), {"offset 24", "65535"}),
      row("G07_value", keyed(gguf_key("k", kText, little(1 << 20, 8) + "x")), {"offset"}),
      row("G10_key_twice",
          gguf_file({gguf_tensor("a", {4}, kF32, 0)},
                    {gguf_key("k", kU32, little(1, 4)), gguf_key("k", kU32, little(1, 4))}, 32),
          {"\"k\"", "twice"}),
  };
}

std::vector<Hostile> key_rows() {
  const auto alignment = [](uint64_t value) { return keyed(gguf_key("general.alignment", kU32, little(value, 4))); };
  const std::string shape = "comfy.gguf.orig_shape.";
  return {
      row("G08_items", keyed(gguf_key("k", kArray, little(kU32, 4) + little(uint64_t{1} << 60, 8))),
          {"\"k\"", "1152921504606846976"}),
      row("G08_texts", keyed(gguf_key("k", kArray, little(kText, 4) + little(uint64_t{1} << 60, 8))),
          {"\"k\"", "1152921504606846976"}),
      row("G08_deep", keyed(gguf_key("k", kArray, nested_arrays(10'000))), {"\"k\"", "nested"}),
      row("G08_type", keyed(gguf_key("k", 255, "")), {"\"k\"", "255"}),
      row("G08_item_type", keyed(gguf_key("k", kArray, little(77, 4) + little(1, 8))), {"\"k\"", "77"}),
      row("G09_0", alignment(0), {"general.alignment", "found 0"}),
      row("G09_3", alignment(3), {"general.alignment", "found 3"}),
      row("G09_2_31", alignment(uint64_t{1} << 31), {"general.alignment", "2147483648"}),
      row("G09_text", keyed(gguf_key("general.alignment", kText, gguf_text("32"))), {"general.alignment", "type 8"}),
      row("shape_product", shaped(little(kI32, 4) + little(2, 8) + little(2, 4) + little(3, 4)), {kA, shape, "[2, 3]"}),
      row("shape_negative", shaped(little(kI32, 4) + little(2, 8) + little(0xFFFFFFFF, 4) + little(0xFFFFFFFC, 4)),
          {shape, "-1"}),
      row("shape_huge", shaped(little(10, 4) + little(2, 8) + little(uint64_t{1} << 62, 8) + little(4, 8)),
          {kA, shape}),
      row("shape_long", shaped(little(kI32, 4) + little(9, 8) + std::string(36, '\1')), {shape, "found 9"}),
      row("shape_type", shaped(little(6, 4) + little(1, 8) + little(4, 4)), {shape, "type 6"}),
      row("shape_plain", shaped(little(4, 4), kU32), {shape, "an array"}),
  };
}

class GgufHostile : public ::testing::TestWithParam<Hostile> {};
TEST_P(GgufHostile, IsRefused) { expect_refused(GetParam()); }

INSTANTIATE_TEST_SUITE_P(Start, GgufHostile, ::testing::ValuesIn(start_rows()), row_name);
INSTANTIATE_TEST_SUITE_P(Tensors, GgufHostile, ::testing::ValuesIn(tensor_rows()), row_name);
INSTANTIATE_TEST_SUITE_P(Texts, GgufHostile, ::testing::ValuesIn(text_rows()), row_name);
INSTANTIATE_TEST_SUITE_P(Keys, GgufHostile, ::testing::ValuesIn(key_rows()), row_name);

TEST(GgufCut, G12_CutAtEveryByte) {
  const std::string whole = gguf_file(
      {gguf_tensor("a", {64}, kQ8, 0), gguf_tensor("b", {4}, kF32, 96)},
      {gguf_key("general.architecture", kText, gguf_text("wan")), gguf_key("general.alignment", kU32, little(32, 4)),
       gguf_key("list", kArray, little(kText, 4) + little(2, 8) + gguf_text("x") + gguf_text("yy"))},
      112);
  ASSERT_FALSE(HasFatalFailure());
  for (size_t length = 4; length < whole.size(); ++length) {
    expect_refused(row(c10::str("G12_", length), whole.substr(0, length), {}));
  }
}

}  // namespace
}  // namespace keyflow::weights::testing
