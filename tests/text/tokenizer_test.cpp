#include "text/tokenizer.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/json.h"
#include "text/utf8.h"

using namespace keyflow;
using namespace keyflow::text;
namespace fs = std::filesystem;

namespace {

const fs::path kReference = KEYFLOW_BINARY_DIR "/reference/tokenizer";
const fs::path kData = KEYFLOW_SHARED_DATA;

std::string list(const std::vector<int64_t>& ids) {
  std::string text;
  for (size_t i = 0; i < std::min<size_t>(ids.size(), 40); ++i) text += std::to_string(ids[i]) + " ";
  return text;
}

/// The reference's ids cut at a limit: the end token stays last.
std::vector<int64_t> cut(std::vector<int64_t> ids, size_t limit, const nlohmann::json& eos) {
  if (ids.size() > limit) {
    ids.resize(limit);
    if (!eos.is_null()) ids.back() = eos.get<int64_t>();
  }
  return ids;
}

nlohmann::json reference() { return read_json(kReference / "cases.json"); }

}  // namespace

TEST(TokenizerParity, IdsEqualTheReference) {
  const auto all = reference();
  for (const auto& entry : all["cases"]) {
    const auto tokenizer = open_tokenizer(kReference / entry["path"].get<std::string>());
    int wrong = 0;
    EXPECT_GT(entry["rows"].size(), 400u);
    for (const auto& row : entry["rows"]) {
      const auto text = row[0].get<std::string>();
      const auto expected = row[1].get<std::vector<int64_t>>();
      const Tokens found = tokenizer->encode(text, 0);
      EXPECT_EQ(found.ids.size(), found.pieces.size());
      EXPECT_EQ(found.lost, "");
      if (found.ids != expected && ++wrong <= 8) {
        ADD_FAILURE() << entry["name"] << ": " << printable(text, 200) << "\nexpected " << list(expected)
                      << "\nfound    " << list(found.ids);
      }
      for (const auto& limit : all["limits"]) {
        const Tokens part = tokenizer->encode(text, limit.get<int64_t>());
        EXPECT_EQ(part.ids, cut(found.ids, limit.get<size_t>(), entry["eos"])) << entry["name"] << printable(text);
        if (found.ids.size() > limit.get<size_t>()) {
          EXPECT_TRUE(text.ends_with(part.lost) && first_invalid_byte(part.lost) == std::string::npos);
        } else {
          EXPECT_EQ(part.lost, "");
        }
      }
    }
    EXPECT_EQ(wrong, 0) << entry["name"] << ", of " << entry["rows"].size();
  }
}

TEST(TokenizerParity, SmallVocabularyFromTheJsonAlone) {
  const auto json = open_tokenizer(kReference / "small_json");
  const auto model = open_tokenizer(kReference / "small");
  EXPECT_EQ(json->kind(), "unigram");
  EXPECT_EQ(model->kind(), "sentencepiece");
  EXPECT_EQ(json->pad_id(), 0);
  EXPECT_EQ(model->pad_id(), 0);
  EXPECT_EQ(json->vocabulary(), model->vocabulary());
  EXPECT_EQ(json->encode("x <extra_id_299><s> y", 0).ids, model->encode("x <extra_id_299> <s> y", 0).ids);
}

TEST(TokenizerParity, SharedTokenIds) {
  if (!fs::exists(kData)) GTEST_SKIP() << "needs the shared data folder";
  const auto cases = read_json(kData / "token_ids.json")["cases"];
  const fs::path t5 = kData / "tokenizers/t5", clip = kData / "tokenizers/clip";
  for (const fs::path& path : {t5 / "spiece.model", t5 / "tokenizer.json", t5, clip, clip / "tokenizer.json"}) {
    const auto tokenizer = open_tokenizer(path);
    const char* key = path == t5 || path.parent_path() == t5 ? "t5" : "clip";
    for (const auto& entry : cases) {
      const auto text = entry["text"].get<std::string>();
      EXPECT_EQ(tokenizer->encode(text, 0).ids, entry[key].get<std::vector<int64_t>>()) << path << ": " << text;
    }
  }
}

TEST(TokenizerParity, SharedVocabularies) {
  if (!fs::exists(kData)) GTEST_SKIP() << "needs the shared data folder";
  const auto t5 = open_tokenizer(kData / "tokenizers/t5/spiece.model");
  EXPECT_EQ(t5->vocabulary(), 32000);
  EXPECT_EQ(open_tokenizer(kData / "tokenizers/t5")->vocabulary(), 32100);
  const auto clip = open_tokenizer(kData / "tokenizers/clip");
  EXPECT_EQ(clip->vocabulary(), 49408);
  EXPECT_EQ(clip->pad_id(), 49407);
  EXPECT_EQ(clip->kind(), "clip bpe");
}

TEST(Tokenizer, TheLostPartIsNamed) {
  for (const char* path : {"small/spiece.model", "small_json", "bytes"}) {
    const auto tokenizer = open_tokenizer(kReference / path);
    const Tokens whole = tokenizer->encode("a cat walks", 0);
    const Tokens part =
        tokenizer->encode("a cat walks, 字 on the beach </s> x", static_cast<int64_t>(whole.ids.size()));
    EXPECT_EQ(part.lost, ", 字 on the beach </s> x") << path;
  }
}

TEST(Tokenizer, X01NamesThePosition) {
  const auto tokenizer = open_tokenizer(kReference / "small_json");
  for (const auto& [prompt, names] : std::vector<std::pair<std::string, std::string>>{
           {"ab\xC3", "byte 2"}, {std::string("a\0b", 3), "byte 1"}, {std::string(10u << 20, 'x'), "10485760"}}) {
    try {
      tokenizer->encode(prompt, 512);
      ADD_FAILURE() << "no error for " << printable(prompt, 10);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::usage);
      EXPECT_NE(std::string(error.what()).find(names), std::string::npos) << error.what();
    }
  }
  EXPECT_THROW(tokenizer->encode("x", -1), Error);
  EXPECT_EQ(tokenizer->encode("   ", 512).ids, std::vector<int64_t>{1});
}

TEST(Tokenizer, X01MillionParentheses) {
  const std::string prompt(1'000'000, '(');
  for (const char* path : {"small/spiece.model", "small_json"}) {
    EXPECT_EQ(open_tokenizer(kReference / path)->encode(prompt, 512).ids.size(), 512u) << path;
  }
  if (fs::exists(kReference / "bare_clip")) {
    EXPECT_EQ(open_tokenizer(kReference / "bare_clip")->encode(prompt, 77).ids.size(), 77u);
  }
}
