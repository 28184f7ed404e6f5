#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/json.h"
#include "text/prompt_chunks.h"
#include "text/prompt_syntax.h"

using namespace keyflow;
using namespace keyflow::text;
namespace fs = std::filesystem;

namespace {

const fs::path kReference = KEYFLOW_BINARY_DIR "/reference/prompt";

using Pieces = std::vector<std::pair<std::string, double>>;

std::string shown(const Prompt& prompt) {
  std::string text;
  for (const auto& piece : prompt.pieces) {
    text += c10::str(piece.breaks ? "BREAK " : "", "\"", piece.text, "\" ", piece.weight, "; ");
  }
  return text;
}

void expect_pieces(const std::string& text, const Pieces& expected) {
  const Prompt prompt = parse_prompt(text);
  ASSERT_EQ(prompt.pieces.size(), expected.size()) << text << ": " << shown(prompt);
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(prompt.pieces[i].text, expected[i].first) << text;
    EXPECT_DOUBLE_EQ(prompt.pieces[i].weight, expected[i].second) << text;
  }
}

void expect_refused(const std::string& text, const std::string& names, ErrorKind kind = ErrorKind::usage) {
  try {
    const Prompt prompt = parse_prompt(text);
    ADD_FAILURE() << "no error for " << text << ": " << shown(prompt);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << text;
    const std::string message = error.what();
    EXPECT_NE(message.find(names), std::string::npos) << text << ": " << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }
}

}  // namespace

// The examples in the docstring of the source's parse_prompt_attention.
TEST(PromptSyntax, ExamplesOfTheSource) {
  expect_pieces("normal text", {{"normal text", 1}});
  expect_pieces("an (important) word", {{"an ", 1}, {"important", 1.1}, {" word", 1}});
  expect_pieces("(unbalanced", {{"unbalanced", 1.1}});
  expect_pieces("\\(literal\\]", {{"(literal]", 1}});
  expect_pieces("(unnecessary)(parens)", {{"unnecessaryparens", 1.1}});
  expect_pieces("a (((house:1.3)) [on] a (hill:0.5), sun, (((sky))).", {{"a ", 1},
                                                                        {"house", 1.5730000000000004},
                                                                        {" ", 1.1},
                                                                        {"on", 1},
                                                                        {" a ", 1.1},
                                                                        {"hill", 0.55},
                                                                        {", sun, ", 1.1},
                                                                        {"sky", 1.4641000000000006},
                                                                        {".", 1.1}});
}

TEST(PromptSyntax, WhatIsNoSyntaxIsText) {
  expect_pieces("", {{"", 1}});
  expect_pieces("a: b) ] 1:2)", {{"a: b) ] 1:2)", 1}});
  expect_pieces("(a:b)", {{"a:b", 1.1}});
  expect_pieces("(a:1.2.3)", {{"a:1.2.3", 1.1}});
  expect_pieces("(a:+-1)", {{"a:+-1", 1.1}});
  expect_pieces("[a:b]", {{"a:b", 1 / 1.1}});
  expect_pieces("a | {b|c} (d|e) <f:g> <lora x", {{"a | {b|c} ", 1}, {"d|e", 1.1}, {" <f:g> <lora x", 1}});
  expect_pieces("(embedding:cat:1.2)", {{"embedding:cat", 1.2}});
  const Prompt plain = plain_prompt("(a:2) BREAK <lora:x:1> [a|b]");
  ASSERT_EQ(plain.pieces.size(), 1u);
  EXPECT_EQ(plain.pieces[0].text, "(a:2) BREAK <lora:x:1> [a|b]");
  EXPECT_EQ(plain.pieces[0].weight, 1);
}

TEST(PromptSyntax, BreakBeginsAChunk) {
  const Prompt prompt = parse_prompt("a BREAK (b BREAK c:1.5) BREAK");
  ASSERT_EQ(prompt.pieces.size(), 5u) << shown(prompt);
  EXPECT_FALSE(prompt.pieces[0].breaks);
  EXPECT_TRUE(prompt.pieces[1].breaks);
  EXPECT_EQ(prompt.pieces[2].text, "b");
  EXPECT_TRUE(prompt.pieces[3].breaks);
  EXPECT_EQ(prompt.pieces[3].text, "c");
  EXPECT_EQ(prompt.pieces[3].weight, 1.5);
  EXPECT_TRUE(prompt.pieces[4].breaks);
  EXPECT_EQ(text_of(prompt), "a b c ");
  expect_pieces("BREAKFAST aBREAK break", {{"BREAKFAST aBREAK break", 1}});
}

TEST(PromptSyntax, LorasAreTakenOut) {
  const Prompt prompt =
      parse_prompt("a <lora:one:0.8>(cat<lyco:sub/two.v1:0.5:-1>:1.2)<LoRA: three :te=.25:unet=2><lora:|high_noise|4>");
  ASSERT_EQ(prompt.loras.size(), 4u);
  const auto expect_lora = [&](size_t i, const char* name, double text, double model, bool high) {
    EXPECT_EQ(prompt.loras[i].name, name);
    EXPECT_EQ(prompt.loras[i].text_weight, text) << name;
    EXPECT_EQ(prompt.loras[i].model_weight, model) << name;
    EXPECT_EQ(prompt.loras[i].high_noise, high) << name;
  };
  expect_lora(0, "one", 0.8, 0.8, false);
  expect_lora(1, "sub/two.v1", 0.5, -1, false);
  expect_lora(2, "three", 0.25, 2, false);
  expect_lora(3, "4", 1, 1, true);
  ASSERT_EQ(prompt.pieces.size(), 2u);
  EXPECT_EQ(prompt.pieces[0].text, "a ");
  EXPECT_EQ(prompt.pieces[1].text, "cat");
  EXPECT_EQ(prompt.pieces[1].weight, 1.2);
  const Prompt named = parse_prompt("<lora:x:te=0.5><lora:y:0.5:unet=0><lora:z:0.5:te=0>");
  EXPECT_EQ(named.loras[0].model_weight, 0.5);
  EXPECT_EQ(named.loras[1].model_weight, 0);
  EXPECT_EQ(named.loras[1].text_weight, 0.5);
  EXPECT_EQ(named.loras[2].text_weight, 0);
  EXPECT_EQ(named.loras[2].model_weight, 0);
}

TEST(PromptSyntax, NonsenseIsRefused) {
  expect_refused("cat <lora:>", "byte 4");
  expect_refused("<lora::0.8>", "has no name");
  expect_refused("<lora:|high_noise|:0.8>", "has no name");
  expect_refused("<lora:cat:much>", "\"much\"");
  expect_refused("<lora:cat:0.5x>", "\"0.5x\"");
  expect_refused("<lora:cat:nan>", "expected a weight");
  expect_refused("<lora:cat:1e9>", "1000");
  expect_refused("<lora:cat:1:2:3>", "one or two weights");
  expect_refused("<lora:cat:dyn=4>", "te= or unet=");
  expect_refused("字 <lora:cat:0.8 dog", "byte 4");
  expect_refused("<hypernet:cat:1>", "hypernetworks", ErrorKind::unsupported);
  expect_refused("(a:99999999.0)", "weight");
  expect_refused("x" + std::string(200, '('), "byte 101");
}

TEST(PromptSyntax, EditingAndAlternationAreRefused) {
  for (const char* text : {"[cat:dog:0.5]", "[cat:0.5]", "[cat::12]", "[cat: dog : .5 ]", "[(a:2):3]", "[:cat:1e1]",
                           "[a:[b|c]:2]", "([cat:dog:5]:1.2)", "[a b:1.2]"}) {
    expect_refused(std::string("a ") + text, "not supported");
  }
  expect_refused("字 [cat|dog]", "byte 4: \"[cat|dog]\" changes the prompt at every step");
  expect_refused("[cat|]", "every step");
  expect_refused("[a:[cat|dog]]", "every step");
  for (const char* text : {"[cat\\|dog]", "[cat\\:0.5]", "[cat:0.5", "cat:0.5]", "[(cat:0.5)]", "[cat (dog] x:0.5)",
                           "\\[cat:0.5\\]", "[cat (a|b)]", "[cat:dog]"}) {
    EXPECT_NO_THROW(parse_prompt(text)) << text;
  }
}

TEST(PromptSyntax, X01LongAndBrokenPromptsTakeNoTime) {
  expect_refused(std::string(1'000'000, '('), "byte 100");
  expect_refused("a\xFF", "byte 1");
  expect_refused(std::string("a\0b", 3), "byte 1");
  EXPECT_EQ(parse_prompt(std::string(1'000'000, ')')).pieces.size(), 1u);
  EXPECT_EQ(parse_prompt(std::string(1'000'000, '<')).pieces.size(), 1u);
  std::string pairs, breaks, words;
  for (int i = 0; i < 150'000; ++i) pairs += "(a)b", breaks += "BREAK ", words += "[)(]\\";
  EXPECT_EQ(parse_prompt(pairs).pieces.size(), 300'000u);
  EXPECT_EQ(parse_prompt(breaks).pieces.size(), 150'000u);
  EXPECT_NO_THROW(parse_prompt("(a" + words));
}

TEST(PromptParity, PiecesAndChunksEqualTheSecondImplementation) {
  const auto cases = read_json(kReference / "cases.json");
  ASSERT_GT(cases.size(), 300u);
  const auto end = open_tokenizer(kReference / "end"), zero = open_tokenizer(kReference / "zero");
  EXPECT_EQ(zero->pad_id(), 0);
  EXPECT_EQ(end->pad_id(), end->vocabulary() - 1);
  int cut = 0, long_prompts = 0;
  for (const auto& entry : cases) {
    const auto text = entry["prompt"].get<std::string>();
    const Prompt prompt = parse_prompt(text);
    ASSERT_EQ(prompt.pieces.size(), entry["pieces"].size()) << printable(text) << "\n" << shown(prompt);
    for (size_t i = 0; i < prompt.pieces.size(); ++i) {
      EXPECT_EQ(prompt.pieces[i].text, entry["pieces"][i][0].get<std::string>()) << printable(text);
      EXPECT_EQ(prompt.pieces[i].weight, entry["pieces"][i][1].get<double>()) << printable(text);
      EXPECT_EQ(prompt.pieces[i].breaks, entry["pieces"][i][2].get<bool>()) << printable(text);
    }
    const auto expect_rows = [&](const PromptTokens& found, const nlohmann::json& expected) {
      ASSERT_EQ(found.rows.size(), expected.size()) << printable(text, 2000);
      EXPECT_EQ(found.lost, "");
      for (size_t i = 0; i < found.rows.size(); ++i) {
        EXPECT_EQ(found.rows[i].ids, expected[i][0].get<std::vector<int64_t>>())
            << printable(text, 2000) << " row " << i;
        EXPECT_EQ(found.rows[i].weights, expected[i][1].get<std::vector<double>>()) << printable(text) << " row " << i;
        EXPECT_EQ(found.rows[i].pieces.size(), found.rows[i].ids.size());
      }
    };
    expect_rows(chunked_tokens(*end, prompt), entry["end"]);
    expect_rows(chunked_tokens(*zero, prompt), entry["zero"]);
    expect_rows(chunked_tokens(*end, prompt, {.length = 12, .comma_window = 4}), entry["short"]);
    for (const auto* tokenizer : {end.get(), zero.get()}) {
      const auto& plain = entry[tokenizer == end.get() ? "end_plain" : "zero_plain"];
      const PromptTokens fixed = fixed_tokens(*tokenizer, plain_prompt(text), 77);
      EXPECT_EQ(fixed.rows.at(0).ids, plain[0].get<std::vector<int64_t>>()) << printable(text);
      EXPECT_EQ(!fixed.lost.empty(), plain[1].get<bool>()) << printable(text);
      EXPECT_TRUE(text.ends_with(fixed.lost));
      cut += fixed.lost.empty() ? 0 : 1;
      if (!fixed.lost.empty()) continue;
      const PromptTokens chunked = chunked_tokens(*tokenizer, plain_prompt(text));
      ASSERT_EQ(chunked.rows.size(), 1u);
      EXPECT_EQ(chunked.rows[0].ids, fixed.rows[0].ids) << printable(text);
    }
    long_prompts += entry["end"].size() > 2 ? 1 : 0;
  }
  EXPECT_GT(cut, 50);
  EXPECT_GT(long_prompts, 30);
}

TEST(PromptChunks, FixedLengthTellsWhatIsLost) {
  const auto tokenizer = open_tokenizer(kReference / "end");
  const PromptTokens tokens = fixed_tokens(*tokenizer, parse_prompt("a cat (dog house:1.5) BREAK [hill]"), 5);
  EXPECT_EQ(tokens.rows.at(0).ids.size(), 5u);
  EXPECT_EQ(tokens.rows[0].pieces[3], "dog</w>");
  EXPECT_EQ(tokens.rows[0].weights, (std::vector<double>{1, 1, 1, 1.5, 1}));
  EXPECT_EQ(tokens.lost, "house hill");
  EXPECT_TRUE(tokens.weighted());
  EXPECT_FALSE(fixed_tokens(*tokenizer, parse_prompt("a cat"), 77).weighted());
  EXPECT_EQ(fixed_tokens(*tokenizer, parse_prompt("a cat"), 2).lost, "a cat");
  EXPECT_THROW(fixed_tokens(*tokenizer, parse_prompt("a cat"), 1), Error);
  EXPECT_THROW(chunked_tokens(*tokenizer, parse_prompt("a cat"), {.length = 2}), Error);
}

TEST(PromptChunks, EmptyRowsAreAPromptWithoutWords) {
  const auto tokenizer = open_tokenizer(kReference / "zero");
  PromptTokens tokens = chunked_tokens(*tokenizer, parse_prompt("a (cat)"));
  add_empty_rows(tokens, *tokenizer, 3);
  ASSERT_EQ(tokens.rows.size(), 3u);
  EXPECT_EQ(tokens.rows[2].ids, fixed_tokens(*tokenizer, plain_prompt(""), 77).rows[0].ids);
  EXPECT_EQ(tokens.rows[2].used, 2u);
  add_empty_rows(tokens, *tokenizer, 1);
  EXPECT_EQ(tokens.rows.size(), 3u);
}

TEST(PromptChunks, PaddingOfTheSpecialTokensMapCounts) {
  const fs::path folder = kReference / "older";
  fs::create_directories(folder);
  for (const char* name : {"vocab.json", "merges.txt", "tokenizer_config.json"}) {
    fs::copy_file(kReference / "end" / name, folder / name, fs::copy_options::overwrite_existing);
  }
  std::ofstream(folder / "special_tokens_map.json") << R"({"bos_token": "x", "pad_token": {"content": "!"}})";
  EXPECT_EQ(open_tokenizer(folder)->pad_id(), 0);
  std::ofstream(folder / "tokenizer_config.json") << R"({"pad_token": "<|endoftext|>", "added_tokens_decoder": {}})";
  EXPECT_EQ(open_tokenizer(folder)->pad_id(), open_tokenizer(folder)->vocabulary() - 1);
}

// Real vocabularies under real configurations: which token pads the text of each encoder.
TEST(PromptChunks, RealTokenizers) {
  const fs::path data = KEYFLOW_SHARED_DATA, vocabulary = data / "tokenizers/clip";
  if (!fs::exists(data)) GTEST_SKIP() << "needs the shared data folder";
  const std::vector<std::pair<std::string, int64_t>> pads{
      {"sd15/tokenizer", 49407},     {"sd21/tokenizer", 0},           {"sdxl/tokenizer", 49407},
      {"sdxl/tokenizer_2", 0},       {"sd3-medium/tokenizer", 49407}, {"sd3-medium/tokenizer_2", 0},
      {"flux1-dev/tokenizer", 49407}};
  const fs::path folder = kReference / "real";
  for (const auto& [name, pad] : pads) {
    fs::remove_all(folder);
    fs::create_directories(folder);
    for (const char* file : {"vocab.json", "merges.txt"}) fs::copy_file(vocabulary / file, folder / file);
    for (const auto& entry : fs::directory_iterator(data / "configs" / name)) {
      fs::copy_file(entry.path(), folder / entry.path().filename());
    }
    const auto tokenizer = open_tokenizer(folder)->with_words({{"<birb-style>", 49408}});
    EXPECT_EQ(tokenizer->pad_id(), pad) << name;
    const auto tokens = chunked_tokens(*tokenizer, parse_prompt("a photo (in <birb-style>:1.2)"));
    const std::vector<int64_t> ids{49406, 320, 1125, 530, 49408, 49407, pad};
    EXPECT_TRUE(std::equal(ids.begin(), ids.end(), tokens.rows.at(0).ids.begin())) << name;
    EXPECT_EQ(tokens.rows[0].ids.back(), pad);
    EXPECT_EQ(tokens.rows[0].weights[4], 1.2);
  }
}

TEST(LearnedWords, AreFoundInTexts) {
  const auto bare = open_tokenizer(kReference / "end");
  const int64_t first = bare->vocabulary();
  const auto tokenizer = bare->with_words({{"Fluffy", first, 3},
                                           {"<birb-style>", first + 3},
                                           {"embedding:fluffy", first, 3},
                                           {"fluffy house", first + 4, 2}});
  EXPECT_EQ(tokenizer->vocabulary(), first + 6);
  EXPECT_EQ(tokenizer->vectors(first), 3);
  EXPECT_EQ(tokenizer->vectors(first + 3), 1);
  const auto ids = [&](const std::string& text) {
    std::vector<int64_t> all = tokenizer->encode(text, 0).ids, learned;
    for (const int64_t id : all) {
      if (id >= first) learned.push_back(id - first);
    }
    return learned;
  };
  using Ids = std::vector<int64_t>;
  EXPECT_EQ(ids("a fluffy, cat"), (Ids{0, 1, 2}));
  EXPECT_EQ(ids("(FLUFFY)"), (Ids{0, 1, 2}));
  EXPECT_EQ(ids("embedding:fluffy!"), (Ids{0, 1, 2}));
  EXPECT_EQ(ids("fluffyer unfluffy"), Ids{});
  EXPECT_EQ(ids("fluffy  house"), (Ids{4, 5}));
  EXPECT_EQ(ids("cat<birb-style>s <birb-STYLE>,<birb>"), (Ids{3, 3}));
  EXPECT_EQ(bare->encode("fluffy", 0).ids, open_tokenizer(kReference / "end")->encode("fluffy", 0).ids);
  EXPECT_EQ(tokenizer->encode("cat fluffy dog", 4).lost, "fluffy dog");
}

TEST(LearnedWords, StayInOneChunk) {
  const auto bare = open_tokenizer(kReference / "end");
  const int64_t first = bare->vocabulary();
  const auto tokenizer = bare->with_words({{"fluffy", first, 3}});
  const PromptTokens tokens = chunked_tokens(*tokenizer, parse_prompt("cat dog a (fluffy:2) sun"), {.length = 7});
  ASSERT_EQ(tokens.rows.size(), 2u);
  EXPECT_EQ(tokens.rows[0].used, 5u);
  EXPECT_EQ(tokens.rows[1].ids[1], first);
  EXPECT_EQ(tokens.rows[1].ids[3], first + 2);
  EXPECT_EQ(tokens.rows[1].weights, (std::vector<double>{1, 2, 2, 2, 1, 1, 1}));
}

TEST(LearnedWords, UnknownEmbeddingsAreNamed) {
  const std::vector<LearnedWord> words{{"fluffy", 600}, {"embedding:fluffy", 600}, {"embedding:fluffy.pt", 600}};
  for (const char* text :
       {"a fluffy cat", "(embedding:fluffy:1.2), embedding:FLUFFY.pt", "embedding: x", "myembedding:x"}) {
    EXPECT_NO_THROW(require_known_embeddings(parse_prompt(text), words)) << text;
  }
  for (const char* text : {"a (embedding:flufy:1.2) cat", "embedding:fluffyer", "Embedding:flufy"}) {
    try {
      require_known_embeddings(parse_prompt(text), words);
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::usage);
      EXPECT_NE(std::string(error.what()).find("closest: embedding:fluffy"), std::string::npos) << error.what();
    }
  }
}

TEST(LearnedWords, BadOnesAreRefused) {
  const auto tokenizer = open_tokenizer(kReference / "end");
  const int64_t first = tokenizer->vocabulary();
  EXPECT_THROW(tokenizer->with_words({{"cat", first - 1}}), Error);
  EXPECT_THROW(tokenizer->with_words({{"cat", first, 0}}), Error);
  EXPECT_THROW(tokenizer->with_words({{"cat", first, 76}}), Error);
  EXPECT_THROW(tokenizer->with_words({{"", first}}), Error);
  EXPECT_THROW(tokenizer->with_words({{"a\xFF", first}}), Error);
}
