// Broken files, as the program meets them: robustness.md §1 for a few rows of each kind of file. Every row is held
// against the readers in tests/weights, tests/media and tests/text.
#include <gtest/gtest.h>

#include "apps/program.h"

namespace keyflow::tests {
namespace {

struct Row {
  std::string id, bytes;
  std::vector<std::string> words;
};
void PrintTo(const Row& row, std::ostream* out) { *out << row.id; }

std::string one(const std::string& entry, size_t data) { return safetensors_bytes("{\"a\":{" + entry + "}}", data); }

std::vector<Row> rows() {
  const std::string full = "\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]";
  std::string deep;
  for (int i = 0; i < 200'000; ++i) deep += "{\"a\":";
  return {
      {"S01", "", {"expected at least 8 bytes", "0"}},
      {"S02", std::string("\x10\0\0", 3), {"8", "3"}},
      {"S03", std::string("\x08\0\0\0\0\0\0\0", 8) + "abcdefgh", {}},
      {"S04", std::string("\0\0\0\0\0\0\0\x40", 8) + "{}", {"4611686018427387904"}},
      {"S06", safetensors_bytes("[1,2,3]", 0), {"array"}},
      {"S08", safetensors_bytes("{}", 0), {"0 tensors"}},
      {"S09", one("\"shape\":[1],\"data_offsets\":[0,4]", 4), {"a", "dtype"}},
      {"S14", one("\"dtype\":\"F32\",\"shape\":[-1,-1],\"data_offsets\":[0,4]", 4), {"-1"}},
      {"S15", one("\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]", 0), {"overflow"}},
      {"S19", one(full, 3), {"4"}},
      {"S23", safetensors_bytes("{\"a\":{" + full + "},\"a\":{" + full + "}}", 4), {"duplicate"}},
      {"S24", one("\"dtype\":\"F33\",\"shape\":[1],\"data_offsets\":[0,4]", 4), {"F33"}},
      {"S25", safetensors_bytes(deep, 0), {}},
      {"S26", safetensors_bytes("{\"a\\nerror: b\\u001b[31m\":{" + full + "}}", 4), {"\\x0aerror: b\\x1b"}},
      {"S31_Lfs", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 123\n", {"Git LFS pointer"}},
      {"S31_Html", "<!DOCTYPE html><html><body>Not found</body></html>", {"HTML"}},
      {"S32_Gguf", "GGUF" + std::string(40, '\3'), {"GGUF"}},
      {"P01_Code", std::string("\x80\x02") + "cos\nsystem\n(U\x0btouch PWNEDtR.", {}},
      {"P06_Random", "\x93\x11\xFE" + std::string(4000, '\x07'), {}},
  };
}

class BadFile : public ::testing::TestWithParam<Row> {};

TEST_P(BadFile, IsRefusedByInspectAndByARender) {
  const TestFolder folder;
  const std::string path = folder.write("model.safetensors", GetParam().bytes);
  const std::string output = folder.write("out.png", "an older picture");
  const auto before = folder.content();
  auto words = GetParam().words;
  words.push_back("model.safetensors");
  const long reference_kib = keyflow({"sigmas"}).peak_kib;
  for (const auto& command :
       {std::vector<std::string>{"inspect", path}, {"image", "-m", path, "-p", "x", "-o", output}}) {
    SCOPED_TRACE(command[0]);
    const Outcome outcome = keyflow(command);
    expect_refused(outcome, 1, words);
    EXPECT_EQ(folder.content(), before);
    EXPECT_LT(outcome.peak_kib, reference_kib + 64 * 1024 + 4 * static_cast<long>(GetParam().bytes.size()) / 1024);
    EXPECT_EQ(outcome.err.find('\x1b'), std::string::npos);
    EXPECT_FALSE(std::filesystem::exists("PWNED"));
  }
}
INSTANTIATE_TEST_SUITE_P(Rows, BadFile, ::testing::ValuesIn(rows()), [](const auto& info) { return info.param.id; });

TEST(BadPath, IsNamed) {
  const TestFolder folder;
  for (const std::string& path : {(folder / "absent").string(), folder.path().string(), std::string("/dev/zero")}) {
    SCOPED_TRACE(path);
    expect_refused(keyflow({"inspect", path}), 1, {path});
    expect_refused(keyflow({"image", "-m", path, "-p", "x", "-o", (folder / "o.png").string()}), 1, {path});
  }
  expect_refused(keyflow({"tokenize", (folder / "absent").string(), "x"}), 1, {"absent"});
  expect_refused(keyflow({"decode", (folder / "absent").string(), "-o", (folder / "o.png").string()}), 1, {"absent"});
}

TEST(BadConfig, IsAUsageFault) {
  const TestFolder folder;
  const std::string output = (folder / "o.mp4").string();
  const auto refused = [&](const std::string& json, const std::vector<std::string>& words) {
    SCOPED_TRACE(json);
    const std::string path = folder.write("config.json", json);
    expect_refused(keyflow({"video", "-p", "x", "-o", output, "--config", path}), 2, words);
  };
  refused("", {"config.json"});
  refused("[]", {"config.json", "object", "array"});
  refused("{\"steps\": 3,}", {"config.json"});
  refused("{\"stepz\": 3}", {"stepz", "steps"});
  refused("{\"steps\": \"3\"}", {"steps", "whole number"});
  refused("{\"steps\": 3, \"steps\": 4}", {"steps"});
  refused("{\"steps\": 2.5}", {"steps"});
  refused("{\"shift\": 1e999}", {"config.json"});
  expect_refused(keyflow({"video", "-p", "x", "-o", output, "--config", (folder / "absent.json").string()}), 1,
                 {"absent"});
}

TEST(BadPrompt, IsAUsageFault) {
  const TestFolder folder;
  const std::string output = (folder / "o.mp4").string();
  expect_refused(keyflow({"video", "-p", "a\xFF", "-o", output}), 2, {"prompt"});
  expect_refused(keyflow({"video", "--prompt-file", folder.write("p", std::string("a\0b", 3)), "-o", output}), 2,
                 {"prompt"});
  expect_refused(keyflow({"video", "--prompt-file", "x", "-p", "y", "-o", output}), 2, {"--prompt-file", "--prompt"});
}

TEST(BadMetadata, IsRefused) {
  const TestFolder folder;
  const std::string output = (folder / "o.mp4").string();
  const std::string picture = folder.write("plain.bmp", bmp_bytes(8, 8, 1, 2, 3));
  const Outcome outcome = keyflow({"video", "--from-metadata", picture, "-o", output});
  EXPECT_GE(outcome.code, 1);
  EXPECT_NE(error_line(outcome).find("plain.bmp"), std::string::npos);
}

}  // namespace
}  // namespace keyflow::tests
