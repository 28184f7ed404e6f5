#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <fstream>

#include "core/error.h"
#include "core/files.h"
#include "text/tokenizer.h"

using namespace keyflow;
using namespace keyflow::text;
namespace fs = std::filesystem;

namespace {

/// A folder of bad files that goes with the test.
class TokenizerFiles : public testing::Test {
 protected:
  TokenizerFiles() {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::temp_directory_path() / c10::str("keyflow_", test->name(), "_", getpid());
    fs::create_directories(folder_);
  }
  ~TokenizerFiles() override { fs::remove_all(folder_); }

  void write(const std::string& name, const std::string& content) const {
    std::ofstream(folder_ / name, std::ios::binary) << content;
  }

  /// Opening `name` fails with one line that holds all of `words` (and the file's name), and prints nothing itself.
  void expect_error(const std::string& name, const std::vector<std::string>& words) const {
    testing::internal::CaptureStderr();
    std::string message;
    try {
      open_tokenizer(folder_ / name)->encode("some text", 0);
    } catch (const Error& error) {
      message = error.what();
    }
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
    EXPECT_NE(message, "") << name << " was accepted";
    EXPECT_EQ(message.find('\n'), std::string::npos);
    for (const auto& word : words)
      EXPECT_NE(message.find(word), std::string::npos) << word << " is not in: " << message;
  }

  fs::path folder_;
};

std::string field(int number, const std::string& bytes) {
  return std::string{static_cast<char>(number << 3 | 2), static_cast<char>(bytes.size() | 0x80),
                     static_cast<char>(bytes.size() >> 7)} +
         bytes;
}
std::string number(int field, int value) { return {static_cast<char>(field << 3), static_cast<char>(value)}; }

std::string piece(const std::string& text, float score, int type) {
  std::string bits(4, '\0');
  std::memcpy(bits.data(), &score, 4);
  return field(1, field(1, text) + static_cast<char>(2 << 3 | 5) + bits + number(3, type));
}

const std::string kPieces = piece("<pad>", 0, 3) + piece("</s>", 0, 3) + piece("<unk>", 0, 2) + piece("▁some", -1, 1);
const std::string kTrainer = field(2, number(3, 1)), kNormalizer = field(3, field(1, "identity"));

/// A CLIP folder of 256 bytes, two special tokens and one merge.
std::string clip_vocabulary(const std::string& extra = "") {
  std::string json = "{\"a\":0,\"a</w>\":1,\"b\":2,\"b</w>\":3,\"ab</w>\":4";
  return json + extra + ",\"<|startoftext|>\":5,\"<|endoftext|>\":6}";
}

}  // namespace

TEST_F(TokenizerFiles, T01TheSmallestModelWorks) {
  write("m.model", kPieces + kTrainer + kNormalizer);
  EXPECT_EQ(open_tokenizer(folder_ / "m.model")->encode("some", 0).ids, (std::vector<int64_t>{3, 1}));
}

TEST_F(TokenizerFiles, T01EmptyModel) {
  write("m.model", "");
  expect_error("m.model", {"m.model", "0 bytes"});
}

TEST_F(TokenizerFiles, T01RandomModel) {
  std::string bytes;
  for (uint32_t i = 0, x = 1; i < 5000; ++i) bytes.push_back(static_cast<char>((x = x * 1664525 + 1013904223) >> 24));
  write("m.model", bytes);
  expect_error("m.model", {"m.model", "offset"});
}

TEST_F(TokenizerFiles, T01ModelCutAnywhere) {
  const std::string whole = kPieces + kTrainer + kNormalizer;
  for (size_t size = 1; size < whole.size(); ++size) {
    write("m.model", whole.substr(0, size));
    expect_error("m.model", {"m.model"});
  }
  write("m.model", kPieces);
  expect_error("m.model", {"trainer", "4 pieces"});
}

TEST_F(TokenizerFiles, T01ModelsWithWrongPieces) {
  const std::string rest = kTrainer + kNormalizer;
  write("none.model", rest);
  expect_error("none.model", {"none.model", "found none"});
  write("unk.model", piece("<pad>", 0, 3) + piece("</s>", 0, 3) + piece("▁a", -1, 1) + rest);
  expect_error("unk.model", {"unknown piece, found 0"});
  write("eos.model", piece("<pad>", 0, 3) + piece("<unk>", 0, 2) + piece("▁a", -1, 1) + rest);
  expect_error("eos.model", {"eos.model", "</s>"});
  write("pad.model", piece("</s>", 0, 3) + piece("<unk>", 0, 2) + piece("▁a", -1, 1) + rest);
  expect_error("pad.model", {"pad.model", "<pad>"});
  write("twice.model", kPieces + piece("▁some", -1, 1) + rest);
  expect_error("twice.model", {"▁some", "twice", "3 and 4"});
  write("nan.model", kPieces + piece("x", NAN, 1) + rest);
  expect_error("nan.model", {"piece 4", "finite"});
  write("utf8.model", kPieces + piece("x\xFF", -1, 1) + rest);
  expect_error("utf8.model", {"piece 4", "\\xff"});
  write("type.model", kPieces + piece("x", -1, 7) + rest);
  expect_error("type.model", {"piece 4", "type 7"});
  write("bpe.model", kPieces + field(2, number(3, 2)) + kNormalizer);
  expect_error("bpe.model", {"model type 2", "unigram"});
}

TEST_F(TokenizerFiles, T01BadCharsmaps) {
  const auto with_map = [](const std::string& map) { return kPieces + kTrainer + field(3, field(2, map)); };
  write("short.model", with_map("abc"));
  expect_error("short.model", {"precompiled_charsmap", "3 bytes"});
  write("size.model", with_map(std::string("\xFF\xFF\xFF\x7F", 4) + std::string(2000, '\0')));
  expect_error("size.model", {"precompiled_charsmap", "2147483647"});
  std::string units(1024, '\0');
  const uint32_t outside = 0x3FFFFFu << 10;
  std::memcpy(units.data() + 40, &outside, 4);
  std::string map("\0\4\0\0", 4);
  map += units;
  map.append(4, '\0');
  write("outside.model", with_map(map));
  expect_error("outside.model", {"unit 10", "outside"});
}

TEST_F(TokenizerFiles, T01FlippedBytesNeverCrash) {
  const fs::path spiece = fs::path(KEYFLOW_SHARED_DATA) / "tokenizers/t5/spiece.model";
  if (!fs::exists(spiece)) GTEST_SKIP() << "needs the shared data folder";
  std::string bytes = read_file(spiece, 1u << 24);
  uint32_t x = 7;
  for (int round = 0; round < 60; ++round) {
    std::string bad = bytes;
    for (int flips = round % 3 == 0 ? 30 : 1; flips > 0; --flips) {
      x = x * 1664525 + 1013904223;
      // The last quarter of the file is the character map.
      bad[bad.size() - 1 - (x >> 8) % (bad.size() / 4)] = static_cast<char>(x);
    }
    write("m.model", bad);
    try {
      open_tokenizer(folder_ / "m.model")->encode("ﬁne Ｆｕｌｌ é ½ 日本語 </s>", 0);
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("m.model"), std::string::npos);
    }
  }
}

TEST_F(TokenizerFiles, T02ClipVocabularies) {
  write("merges.txt", "#version: 0.2\na b</w>\n");
  const auto expect = [&](const std::string& vocabulary, const std::vector<std::string>& words) {
    write("vocab.json", vocabulary);
    expect_error(".", words);
  };
  expect("[1, 2]", {"vocab.json", "object"});
  expect(clip_vocabulary(",\"x\":-1"), {"vocab.json", "\"x\"", "-1"});
  expect(clip_vocabulary(",\"x\":2147483648"), {"vocab.json", "\"x\"", "2147483648"});
  expect(clip_vocabulary(",\"x\":2147483646"), {"vocab.json", "\"x\"", "2147483646"});
  expect(clip_vocabulary(",\"x\":1.5"), {"vocab.json", "\"x\"", "1.5"});
  expect(clip_vocabulary(",\"x\":4"), {"vocab.json", "\"x\"", "id 4", "ab</w>"});
  expect(clip_vocabulary(",\"a\":9"), {"vocab.json", "duplicate key \"a\""});
  expect("{\"a\":0,\"<|endoftext|>\":1}", {"vocab.json", "<|startoftext|>"});
  expect("{\"a\":0,\"<|startoftext|>\":1}", {"vocab.json", "<|endoftext|>"});
}

TEST_F(TokenizerFiles, T03ClipMerges) {
  write("vocab.json", clip_vocabulary());
  const auto expect = [&](const std::string& merges, const std::vector<std::string>& words) {
    write("merges.txt", merges);
    expect_error(".", words);
  };
  expect("", {"merges.txt", "none"});
  expect("#version: 0.2\na b</w>\nab\n", {"merges.txt", "line 3", "ab"});
  expect("#version: 0.2\na b c\n", {"merges.txt", "line 2", "a b c"});
  expect("a b</w>\n" + std::string(10u << 20, 'x') + "\n", {"merges.txt", "line 2", "10485760"});
  expect("#version: 0.2\n\xFF b\n", {"merges.txt", "line 2", "\\xff"});
  expect("#version: 0.2\na c\n", {"merges.txt", "line 2", "\"c\"", "vocabulary"});
  write("merges.txt", "#version: 0.2\r\na b</w>\r\n");
  EXPECT_EQ(open_tokenizer(folder_)->encode("ab", 0).ids, (std::vector<int64_t>{5, 4, 6})) << "CRLF is accepted";
}

TEST_F(TokenizerFiles, TokenizerJsons) {
  const auto expect = [&](const std::string& json, const std::vector<std::string>& words) {
    write("tokenizer.json", json);
    expect_error(".", words);
  };
  const std::string vocabulary = R"("vocab":[["<pad>",0],["<unk>",0],["a",-1]])";
  const std::string model = R"("model":{"type":"Unigram","unk_id":1,)" + vocabulary + "}";
  expect("", {"tokenizer.json", "not valid JSON"});
  expect("[]", {"tokenizer.json", "object"});
  expect("{}", {"tokenizer.json", "\"model\""});
  expect(R"({"model":{"type":"WordPiece"}})", {"model", "WordPiece"});
  expect(R"({"model":{"type":"Unigram","unk_id":9,)" + vocabulary + "}}", {"unk_id", "below 3", "9"});
  expect(R"({"model":{"type":"Unigram","unk_id":0,"vocab":[]}})", {"vocab", "none"});
  expect(R"({"model":{"type":"Unigram","unk_id":0,"vocab":[["a","b"]]}})", {"vocab", "entry 0"});
  expect(R"({"model":{"type":"Unigram","unk_id":0,"vocab":[["a",0],["a",0]]}})", {"\"a\"", "twice"});
  expect("{" + model + R"(,"normalizer":{"type":"Bert"}})", {"normalizer", "Bert"});
  expect("{" + model + R"(,"normalizer":{"type":"Precompiled","precompiled_charsmap":"AA=A"}})",
         {"charsmap", "base64"});
  expect("{" + model + R"(,"pre_tokenizer":{"type":"Digits"}})", {"pre_tokenizer", "Digits"});
  expect("{" + model + R"(,"post_processor":{"type":"Odd"}})", {"post_processor", "Odd"});
  expect("{" + model + R"(,"added_tokens":[{"id":-4,"content":"x"}]})", {"added_tokens", "-4"});
  expect("{" + model + R"(,"added_tokens":[{"id":4,"content":""}]})", {"added_tokens", "content"});
  write("tokenizer_config.json", R"({"pad_token":"<nothing>"})");
  expect("{" + model + "}", {"<nothing>"});
}

TEST_F(TokenizerFiles, FoldersWithoutATokenizer) {
  expect_error(".", {"tokenizer.json", "spiece.model"});
  expect_error("absent", {"absent", "no such"});
}
