// `keyflow tokenize` on the small vocabularies of the prompt tests.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "apps/program.h"

namespace keyflow::tests {
namespace {

const std::string kTokenizer = KEYFLOW_BINARY_DIR "/reference/prompt_encoders/tokenizer";
const std::string kEmbeddings = KEYFLOW_BINARY_DIR "/reference/prompt_encoders/embeddings/";

Outcome tokenize(const std::string& text, std::vector<std::string> options) {
  options.insert(options.begin(), {"tokenize", kTokenizer, text});
  return keyflow(options);
}

nlohmann::json json_of(const std::string& text, std::vector<std::string> options) {
  options.emplace_back("--json");
  const Outcome outcome = tokenize(text, std::move(options));
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  return nlohmann::json::parse(outcome.out);
}

TEST(Tokenize, PlainTextByDefault) {
  const auto plain = json_of("a (cat:1.2)", {});
  EXPECT_EQ(plain["text"], "a (cat:1.2)");
  EXPECT_GT(plain["ids"].size(), 8u);
  std::string words;
  for (int i = 0; i < 80; ++i) words += "cat ";
  EXPECT_EQ(json_of(words, {})["lost"], "cat cat cat cat cat");
}

TEST(Tokenize, WeightsChunksAndLoras) {
  const std::string prompt = "a (cat:1.2) <lora:style:0.8> BREAK [sky]";
  const auto found = json_of(prompt, {"--weights"});
  ASSERT_EQ(found["chunks"].size(), 2u);
  EXPECT_EQ(found["chunks"][0]["ids"].size(), 77u);
  EXPECT_EQ(found["chunks"][0]["used"], 4);
  EXPECT_EQ(found["chunks"][0]["pieces"][2], "cat</w>");
  EXPECT_EQ(found["chunks"][0]["weights"][2], 1.2);
  EXPECT_EQ(found["chunks"][1]["weights"][1], 1 / 1.1);
  ASSERT_EQ(found["loras"].size(), 1u);
  EXPECT_EQ(found["loras"][0]["name"], "style");
  EXPECT_EQ(found["loras"][0]["model_weight"], 0.8);
  EXPECT_EQ(found["lost"], "");
  const auto cut = json_of(prompt, {"--weights", "--limit", "4"});
  EXPECT_EQ(cut["chunks"].size(), 1u);
  EXPECT_EQ(cut["lost"], "sky");

  const Outcome shown = tokenize(prompt, {"--weights"});
  for (const char* part : {"chunk 1 of 2", "x1.2", "cat</w>", "4 tokens of 77", "lora style: weight 0.8"}) {
    EXPECT_NE(shown.out.find(part), std::string::npos) << part << "\n" << shown.out;
  }
}

TEST(Tokenize, LearnedWordsHaveIdsPastTheVocabulary) {
  const auto found = json_of("a charm, <birb-style> cat", {"--weights", "--embedding", kEmbeddings + "charm.pt",
                                                           "--embedding", kEmbeddings + "learned_embeds.bin"});
  const auto ids = found["chunks"][0]["ids"].get<std::vector<int64_t>>();
  EXPECT_EQ(ids[3], ids[2] + 1);
  EXPECT_EQ(ids[4], ids[2] + 2);
  EXPECT_EQ(ids[6], ids[2] + 3);
  EXPECT_EQ(found["chunks"][0]["pieces"][6], "<birb-style>");
}

TEST(Tokenize, RefusesInOneLine) {
  expect_refused(tokenize("[cat|dog]", {"--weights"}), 2, {"[cat|dog]", "not supported"});
  expect_refused(tokenize("<lora:>", {"--weights"}), 2, {"has no name"});
  expect_refused(tokenize("embedding:charn", {"--weights", "--embedding", kEmbeddings + "charm.pt"}), 2,
                 {"embedding:charn", "closest: embedding:charm"});
  expect_refused(tokenize("a", {"--embedding", kEmbeddings + "other.safetensors"}), 1, {"other.safetensors"});
}

}  // namespace
}  // namespace keyflow::tests
