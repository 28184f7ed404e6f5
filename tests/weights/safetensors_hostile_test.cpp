// robustness.md §2, every row that a reader must refuse.
#include "tests/weights/hostile_files.h"

namespace keyflow::weights::testing {
namespace {

namespace fs = std::filesystem;
using namespace std::string_literals;

std::string entry(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return "{\"dtype\":" + dtype + ",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}";
}

std::string one(const std::string& dtype, const std::string& shape, const std::string& offsets, size_t zeros = 0) {
  return safetensors("{\"a\":" + entry(dtype, shape, offsets) + "}", zeros);
}

std::string two(const std::string& first, const std::string& second, size_t zeros) {
  return safetensors(
      "{\"first\":" + entry("\"F32\"", "[1]", first) + ",\"second\":" + entry("\"F32\"", "[1]", second) + "}", zeros);
}

/// A file that has this size without having these bytes.
Hostile sparse_row(const std::string& id, const std::string& start, uint64_t size, std::vector<std::string> names) {
  return {id,
          [=](const fs::path& folder) {
            write_bytes(folder / "model.safetensors", start);
            fs::resize_file(folder / "model.safetensors", size);
            return folder / "model.safetensors";
          },
          ErrorKind::weights, std::move(names)};
}

std::string many(size_t count) {
  std::string json = "{";
  for (size_t i = 0; i < count; ++i) {
    json += (i ? ",\"" : "\"") + std::to_string(i) + "\":" + entry("\"F32\"", "[0]", "[0,0]");
  }
  return safetensors(json + "}");
}

std::string nested(size_t depth) {
  std::string json;
  for (size_t i = 0; i < depth; ++i) json += "{\"a\":";
  json += "1" + std::string(depth, '}');
  return safetensors(json);
}

std::string keyed(const std::string& key) {
  return safetensors("{\"" + key + "\":" + entry("\"F32\"", "[1]", "[0,4]") + "}", 4);
}

const std::string kValid = small_safetensors();
const std::string kA = "tensor \"a\"";

std::vector<Hostile> container_rows() {
  return {
      bytes_row("S01", "", {"expected at least 8 bytes", "found 0"}),
      bytes_row("S02", "\x10\0\0"s, {"8", "found 3"}),
      bytes_row("S03", little(8, 8) + "abcdefgh", {"offset 8", "JSON"}),
      bytes_row("S04", little(uint64_t{1} << 62, 8) + "{}", {"4611686018427387904", "the file has 10 bytes"}),
      bytes_row("S05_one_more", little(kValid.size() - 8 + 1, 8) + kValid.substr(8),
                {std::to_string(kValid.size() - 7), std::to_string(kValid.size())}),
      bytes_row("S05_zero", little(0, 8) + "{}", {"length 0", "the file has 10 bytes"}),
      sparse_row("S05_sparse", little(100'000'001, 8) + "{", 100'000'001, {"100000001", "100000000"}),
      bytes_row("S06", safetensors("[1,2,3]"), {"expected an object", "found an array"}),
      bytes_row("S06_number", safetensors("5       "), {"expected an object", "found a number"}),
      bytes_row("S07", safetensors(R"({"a":5})"), {kA, "expected an object", "found a number"}),
      bytes_row("S07_array", safetensors(R"({"a":[]})"), {kA, "expected an object", "found an array"}),
      bytes_row("S08", safetensors("{}"), {"found 0 tensors"}),
      bytes_row("S08_metadata", safetensors(R"({"__metadata__":{"format":"pt"}})"), {"found 0 tensors"}),
      bytes_row("S09", safetensors(R"({"a":{"shape":[1],"data_offsets":[0,4]}})", 4), {kA, "header byte 13", "dtype"}),
      bytes_row("S10_shape", safetensors(R"({"a":{"dtype":"F32","data_offsets":[0,4]}})", 4), {kA, "shape"}),
      bytes_row("S10_offsets", safetensors(R"({"a":{"dtype":"F32","shape":[1]}})", 4), {kA, "data_offsets"}),
      bytes_row("S10_unknown", safetensors(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"color":1}})", 4),
                {kA, "color"}),
      bytes_row("S10_twice", safetensors(R"({"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4),
                {kA, "dtype", "duplicate"}),
      bytes_row("S11_text", one("\"F32\"", "[1]", R"(["x","y"])", 4), {kA, "data_offsets", "\"x\""}),
      bytes_row("S11_one", one("\"F32\"", "[1]", "[0]", 4), {kA, "data_offsets", "found 1"}),
      bytes_row("S11_three", one("\"F32\"", "[1]", "[0,4,8]", 4), {kA, "data_offsets", "two"}),
      bytes_row("S11_null", one("\"F32\"", "[1]", "null", 4), {kA, "data_offsets", "null"}),
      bytes_row("S12_text", one("\"F32\"", R"(["q"])", "[0,4]", 4), {kA, "shape", "\"q\""}),
      bytes_row("S12_fraction", one("\"F32\"", "[1.5]", "[0,4]", 4), {kA, "shape", "1.5"}),
      bytes_row("S12_exponent", one("\"F32\"", "[1e3]", "[0,4]", 4), {kA, "shape", "1e3"}),
      bytes_row("S12_string", one("\"F32\"", "\"1\"", "[0,4]", 4), {kA, "shape", "the text"}),
      bytes_row("S12_null", one("\"F32\"", "null", "[0,4]", 4), {kA, "shape", "null"}),
      bytes_row("S12_object", one("\"F32\"", "{}", "[0,4]", 4), {kA, "shape", "an object"}),
      bytes_row("S12_nested", one("\"F32\"", "[[1]]", "[0,4]", 4), {kA, "shape", "an array"}),
      bytes_row("S12_rank", one("\"F32\"", "[1,1,1,1,1,1,1,1,1]", "[0,4]", 4), {kA, "more than 8 dimensions"}),
  };
}

std::vector<Hostile> number_rows() {
  const std::string huge_name = "model.diffusion_model.input_blocks.0.0.weight";
  return {
      bytes_row("S13", one("\"F32\"", "[1]", "[-4,0]", 4), {kA, "data_offsets", "-4"}),
      bytes_row("S14", one("\"F32\"", "[-1,-1]", "[0,4]", 4), {kA, "shape", "-1"}),
      bytes_row(
          "S15", safetensors("{\"" + huge_name + "\":" + entry("\"F32\"", "[4294967296,4294967296]", "[0,0]") + "}"),
          {"tensor \"" + huge_name + "\"", "header byte 57", "[4294967296, 4294967296] overflows", "2^63", "2^64"}),
      bytes_row("S15_zero", one("\"F32\"", "[0,4294967296,4294967296]", "[0,0]"), {kA, "overflows"}),
      bytes_row("S16", one("\"F32\"", "[4611686018427387904]", "[0,0]"), {kA, "overflows", "bytes", "2^64"}),
      bytes_row("S17_offset", one("\"F32\"", "[1]", "[0,18446744073709551615]", 4), {kA, "18446744073709551615"}),
      bytes_row("S17_dimension", one("\"F32\"", "[18446744073709551615]", "[0,4]", 4), {kA, "18446744073709551615"}),
      bytes_row("S17_beyond", one("\"F32\"", "[18446744073709551616]", "[0,4]", 4), {kA, "18446744073709551616"}),
      bytes_row("S17_1e400", one("\"F32\"", "[1e400]", "[0,4]", 4), {kA, "shape", "1e400"}),
      bytes_row("S17_offset_1e400", one("\"F32\"", "[1]", "[0,1e400]", 4), {kA, "data_offsets", "1e400"}),
      bytes_row("S18", one("\"F32\"", "[1]", "[4,0]", 4), {kA, "[4, 0]"}),
      bytes_row("S19_beyond", one("\"F32\"", "[4]", "[0,16]", 15), {kA, "16", "found 15"}),
      bytes_row("S19_cut", kValid.substr(0, kValid.size() - 1), {kA, "[0, 8]", "expected 8 data bytes", "found 7"}),
      bytes_row("S20", one("\"F32\"", "[2]", "[0,4]", 4), {kA, "expected 8 bytes", "found 4"}),
      bytes_row("S21_overlap", two("[0,4]", "[2,6]", 6), {"\"first\"", "\"second\"", "overlap"}),
      bytes_row("S21_identical", two("[0,4]", "[0,4]", 4), {"\"first\"", "\"second\"", "overlap"}),
      bytes_row("S22_hole", two("[0,4]", "[8,12]", 12), {"\"second\"", "hole at 4"}),
      bytes_row("S22_behind", one("\"F32\"", "[1]", "[0,4]", 7), {"hole at 4", "found 7"}),
  };
}

std::vector<Hostile> text_rows() {
  return {
      bytes_row(
          "S23",
          safetensors("{\"a\":" + entry("\"F32\"", "[1]", "[0,4]") + ",\"a\":" + entry("\"F32\"", "[1]", "[4,8]") + "}",
                      8),
          {kA, "duplicate"}),
      bytes_row("S24_unknown", one("\"F33\"", "[1]", "[0,4]", 4), {kA, "F33", "F32"}),
      bytes_row("S24_case", one("\"f32\"", "[1]", "[0,4]", 4), {kA, "f32"}),
      bytes_row("S24_number", one("7", "[1]", "[0,4]", 4), {kA, "dtype", "7"}),
      bytes_row("S25", nested(200'000), {"depth"}),
      bytes_row("S25_array",
                safetensors("{\"a\":{\"x\":" + std::string(200'000, '[') + std::string(200'000, ']') + "}}"),
                {"depth"}),
      bytes_row("S26_utf8", keyed("bad\xFF\xFEkey"), {"bad\\xff"}),
      bytes_row("S26_nul", keyed("nul\\u0000key"), {"nul\\x00key"}),
      bytes_row("S26_newline", keyed("line\\nerror: forged"), {"line\\x0aerror: forged"}),
      bytes_row("S26_escape", keyed("red\\u001b[31mtext"), {"red\\x1b[31mtext"}),
      bytes_row("S26_long", keyed(std::string(1 << 20, 'k')), {"kkkkkkkk...", "1048576 bytes", "4096"}),
      bytes_row("S26_empty", keyed(""), {"\"\"", "is empty"}),
      bytes_row("S27_array", safetensors("{\"__metadata__\":[],\"a\":" + entry("\"F32\"", "[1]", "[0,4]") + "}", 4),
                {"__metadata__", "expected an object", "found an array"}),
      bytes_row("S27_number",
                safetensors("{\"__metadata__\":{\"k\":1},\"a\":" + entry("\"F32\"", "[1]", "[0,4]") + "}", 4),
                {"__metadata__", "\"k\"", "a number (1)"}),
      bytes_row("S27_object",
                safetensors("{\"__metadata__\":{\"k\":{}},\"a\":" + entry("\"F32\"", "[1]", "[0,4]") + "}", 4),
                {"__metadata__", "an object"}),
      bytes_row("S28", many(200'001), {"200000"}),
      bytes_row("S29_mark", little(kValid.size() - 16 + 3, 8) + "\xEF\xBB\xBF" + kValid.substr(8),
                {"offset 8", "byte-order mark"}),
      bytes_row("S29_tail", safetensors("{\"a\":" + entry("\"F32\"", "[1]", "[0,4]") + "}x", 4), {"offset 62", "x"}),
      bytes_row("S29_nul", safetensors("{\"a\":" + entry("\"F32\"", "[1]", "[0,4]") + "}\0"s, 4), {"offset 62", "NUL"}),
  };
}

std::vector<Hostile> foreign_rows() {
  std::string noise;
  uint32_t state = 12345;
  for (int i = 0; i < 4096; ++i) noise += static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
  return {
      bytes_row("S31_lfs", "version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 12345\n",
                {"Git LFS pointer", "12345", "70 bytes"}),
      bytes_row("S31_html", "\n<!DOCTYPE HTML>\n<html><body>404</body></html>\n", {"HTML", "bytes"}),
      bytes_row("S31_half", little(80, 8) + kValid.substr(8, 30), {"80", "the file has 38 bytes"}),
      bytes_row("S32_gguf", "GGUF" + little(3, 4) + little(0, 16), {"GGUF", "without tensors"}),
      bytes_row("S32_png", "\x89PNG\r\n\x1a\n" + std::string(200, 'x'), {"PNG"}),
      bytes_row("S32_pickle", "\x80\x02K\x01.", {"a pickle", "torch.save"}),
      bytes_row("S32_zip", "PK\5\6" + std::string(18, '\0'), {"data.pkl"}),
      bytes_row("S32_noise", noise, {"not safetensors", "not a zip or pickle", "4096 bytes"}),
      bytes_row("S32_text", "hello, this is only some text\n", {"hello, this"}),
  };
}

class SafetensorsHostile : public ::testing::TestWithParam<Hostile> {};
TEST_P(SafetensorsHostile, IsRefused) { expect_refused(GetParam()); }

INSTANTIATE_TEST_SUITE_P(Container, SafetensorsHostile, ::testing::ValuesIn(container_rows()), row_name);
INSTANTIATE_TEST_SUITE_P(Numbers, SafetensorsHostile, ::testing::ValuesIn(number_rows()), row_name);
INSTANTIATE_TEST_SUITE_P(Texts, SafetensorsHostile, ::testing::ValuesIn(text_rows()), row_name);
INSTANTIATE_TEST_SUITE_P(Foreign, SafetensorsHostile, ::testing::ValuesIn(foreign_rows()), row_name);

TEST(SafetensorsCut, AtEveryByteIsRefused) {
  for (size_t size = 0; size < kValid.size(); ++size) {
    expect_refused(bytes_row("cut at " + std::to_string(size), kValid.substr(0, size), {}));
  }
}

}  // namespace
}  // namespace keyflow::weights::testing
