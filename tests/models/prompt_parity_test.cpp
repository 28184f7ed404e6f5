#include <ATen/ops/cat.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/tensor.h>
#include <c10/core/InferenceMode.h>

#include <nlohmann/json.hpp>

#include "core/json.h"
#include "models/clip/prompt.h"
#include "models/clip/text_load.h"
#include "models/t5/prompt.h"
#include "tests/tensor_match.h"
#include "text/prompt_chunks.h"
#include "weights/textual_inversion.h"

namespace keyflow {
namespace {

namespace fs = std::filesystem;
using clip::Reader;
using tests::near;
using text::Prompt;
using text::PromptTokens;

const fs::path kReference = KEYFLOW_BINARY_DIR "/reference/prompt_encoders";
constexpr double kTolerance = 1e-5;

clip::TextModel load_clip(const char* name) {
  const auto file = weights::open_tensors(kReference / name);
  const auto towers = clip::text_towers(file->tensors());
  EXPECT_EQ(towers.size(), 1u);
  return load_text(file, towers.at(0), clip::text_config(*file, towers.at(0), kReference / name / "config.json"), {});
}

at::Tensor ids_of(const PromptTokens& tokens) {
  std::vector<int64_t> ids;
  for (const auto& row : tokens.rows) ids.insert(ids.end(), row.ids.begin(), row.ids.end());
  return at::tensor(ids).view({static_cast<int64_t>(tokens.rows.size()), -1});
}

at::Tensor weights_of(const PromptTokens& tokens) {
  std::vector<double> weights;
  for (const auto& row : tokens.rows) weights.insert(weights.end(), row.weights.begin(), row.weights.end());
  return at::tensor(weights).view({static_cast<int64_t>(tokens.rows.size()), -1});
}

struct Encoder {
  Encoder(const char* model_name, const char* tokenizer_name)
      : model(load_clip(model_name)), tokenizer(text::open_tokenizer(kReference / tokenizer_name)) {}

  clip::PromptText encode(const PromptTokens& tokens, Reader reader, int64_t skip, const at::Tensor& extra = {}) const {
    return clip::encode_prompt(model, {ids_of(tokens), weights_of(tokens), extra},
                               clip::readout(reader, skip, model.config()));
  }
  /// As diffusers reads it.
  clip::PromptText plain(const std::string& prompt, Reader reader, int64_t skip = 0) const {
    return encode(fixed_tokens(*tokenizer, text::plain_prompt(prompt), text::kClipTokens), reader, skip);
  }
  clip::PromptText weighted(const std::string& prompt, Reader reader, int64_t skip = 0) const {
    return encode(chunked_tokens(*tokenizer, text::parse_prompt(prompt)), reader, skip);
  }

  clip::TextModel model;
  std::shared_ptr<text::Tokenizer> tokenizer;
};

class PromptEncoders : public ::testing::Test {
 protected:
  at::Tensor tensor(const std::string& name) const { return tensors_->read(name); }
  std::vector<std::string> prompts(const char* kind) const { return cases_.at(kind).get<std::vector<std::string>>(); }
  /// Of prompt number i; skips as diffusers counts them.
  static std::string name(const char* what, size_t i, int64_t skip) { return c10::str(what, ".", i, ".", skip); }

  at::Tensor t5_text(const Prompt& prompt) const {
    const auto file = weights::open_tensors(kReference / "t5");
    const t5::Encoder encoder = t5::load_encoder(
        file, t5::encoder_config_from_json(read_json(kReference / "t5/config.json"), "config.json"), {});
    const auto tokenizer = text::open_tokenizer(kReference / "t5_tokenizer");
    const PromptTokens tokens = fixed_tokens(*tokenizer, prompt, cases_.at("t5_length").get<size_t>());
    return t5::encode_prompt(encoder, ids_of(tokens), weights_of(tokens));
  }

  c10::InferenceMode guard_;
  std::shared_ptr<weights::TensorFile> tensors_ = weights::open_tensors(kReference / "tensors.safetensors");
  nlohmann::json cases_ = read_json(kReference / "cases.json");
};

TEST_F(PromptEncoders, StableDiffusion1) {
  const Encoder encoder("clip_l", "tokenizer");
  const auto plain = prompts("plain");
  for (size_t i = 0; i < plain.size(); ++i) {
    EXPECT_TRUE(near(encoder.plain(plain[i], Reader::sd1).states, tensor(name("sd1", i, 0)), kTolerance));
    for (const int64_t skip : {1, 2}) {
      EXPECT_TRUE(
          near(encoder.plain(plain[i], Reader::sd1, skip + 1).states, tensor(name("sd1", i, skip)), kTolerance));
    }
  }
  EXPECT_TRUE(near(encoder.plain(cases_["negative"], Reader::sd1).states, tensor("sd1.negative"), kTolerance));
  const auto weighted = prompts("weighted");
  for (size_t i = 0; i < weighted.size(); ++i) {
    for (const int64_t skip : {1, 2}) {
      const auto match = near(encoder.weighted(weighted[i], Reader::sd1, skip).states,
                              tensor(name("sd1_weighted", i, skip)), kTolerance);
      EXPECT_TRUE(match) << weighted[i];
      RecordProperty(c10::str("weighted_", i, "_", skip), match.message());
    }
  }
}

TEST_F(PromptEncoders, StableDiffusionXl) {
  const Encoder first("clip_l", "tokenizer"), second("clip_g", "tokenizer_2");
  const auto plain = prompts("plain");
  const auto both = [&](const std::string& prompt, int64_t skip) {
    const auto a = first.plain(prompt, Reader::sdxl, skip), b = second.plain(prompt, Reader::sdxl, skip);
    return std::pair(at::cat({a.states, b.states}, 2), b.pooled);
  };
  for (size_t i = 0; i < plain.size(); ++i) {
    for (const int64_t skip : {0, 1}) {
      const auto [states, pooled] = both(plain[i], skip == 0 ? 0 : skip + 2);
      EXPECT_TRUE(near(states, tensor(name("sdxl", i, skip)), kTolerance));
      EXPECT_TRUE(near(pooled, tensor(name("sdxl_pooled", i, skip)), kTolerance));
    }
  }
  const auto [states, pooled] = both(cases_["negative"], 2);
  EXPECT_TRUE(near(states, tensor("sdxl.negative"), kTolerance));
  EXPECT_TRUE(near(pooled, tensor("sdxl_pooled.negative"), kTolerance));
  const auto weighted = prompts("weighted");
  for (size_t i = 0; i < weighted.size(); ++i) {
    const auto a = first.weighted(weighted[i], Reader::sdxl), b = second.weighted(weighted[i], Reader::sdxl);
    EXPECT_TRUE(near(at::cat({a.states, b.states}, 2), tensor(c10::str("sdxl_weighted.", i)), kTolerance));
    EXPECT_TRUE(near(b.pooled, tensor(c10::str("sdxl_weighted_pooled.", i)), kTolerance));
  }
}

TEST_F(PromptEncoders, StableDiffusion3) {
  const Encoder first("clip_l_projected", "tokenizer"), second("clip_g", "tokenizer_2");
  const auto plain = prompts("plain");
  for (size_t i = 0; i < plain.size(); ++i) {
    const at::Tensor t5 = t5_text(text::plain_prompt(plain[i]));
    for (const int64_t skip : {0, 1}) {
      const int64_t k = skip == 0 ? 0 : skip + 2;
      const auto a = first.plain(plain[i], Reader::sd3, k), b = second.plain(plain[i], Reader::sd3, k);
      const at::Tensor clip = at::cat({a.states, b.states}, 2);
      const at::Tensor padded = at::constant_pad_nd(clip, {0, t5.size(2) - clip.size(2)});
      EXPECT_TRUE(near(at::cat({padded, t5}, 1), tensor(name("sd3", i, skip)), kTolerance));
      EXPECT_TRUE(near(at::cat({a.pooled, b.pooled}, 1), tensor(name("sd3_pooled", i, skip)), kTolerance));
    }
  }
}

TEST_F(PromptEncoders, Flux) {
  const Encoder clip("clip_l", "tokenizer");
  const auto plain = prompts("plain");
  for (size_t i = 0; i < plain.size(); ++i) {
    EXPECT_TRUE(near(t5_text(text::plain_prompt(plain[i])), tensor(c10::str("flux.", i)), kTolerance));
    EXPECT_TRUE(near(clip.plain(plain[i], Reader::flux).pooled, tensor(c10::str("flux_pooled.", i)), kTolerance));
  }
  const Prompt weighted = text::parse_prompt(prompts("weighted")[0]);
  EXPECT_TRUE(near(t5_text(weighted), tensor("t5_weighted.0"), kTolerance));
  // A checkpoint with a projection, as SD 3 needs it, serves FLUX as well.
  const Encoder projected("clip_l_projected", "tokenizer");
  const auto states = projected.model.hidden_states(ids_of(fixed_tokens(*clip.tokenizer, text::plain_prompt("a"), 77)));
  const at::Tensor ids = ids_of(fixed_tokens(*clip.tokenizer, text::plain_prompt("a"), 77));
  EXPECT_TRUE(near(projected.plain("a", Reader::flux).pooled, projected.model.pool(states.back(), ids), 1e-6));
}

TEST_F(PromptEncoders, TextualInversionAsDiffusersLoadsIt) {
  const Encoder encoder("clip_l", "tokenizer");
  const int64_t first = encoder.tokenizer->vocabulary();
  std::vector<text::LearnedWord> words;
  std::vector<at::Tensor> rows;
  int64_t next = first;
  for (const char* file : {"charm.pt", "learned_embeds.bin"}) {
    const auto inversion = weights::read_textual_inversion(kReference / "embeddings" / file);
    rows.push_back(inversion.vectors_for("", encoder.model.config().hidden_size));
    for (const auto& word : inversion.words()) words.push_back({word, next, inversion.count()});
    next += inversion.count();
  }
  const at::Tensor extra = at::cat(rows, 0);
  EXPECT_TRUE(extra.narrow(0, 0, 3).equal(tensor("three")));
  EXPECT_TRUE(extra[3].equal(tensor("one")));
  const auto tokenizer = encoder.tokenizer->with_words(words);
  const auto prompts_with_words = prompts("learned");
  for (size_t i = 0; i < prompts_with_words.size(); ++i) {
    const auto tokens = fixed_tokens(*tokenizer, text::plain_prompt(prompts_with_words[i]), 77);
    EXPECT_TRUE(ids_of(tokens)[0].equal(tensor(c10::str("learned_ids.", i)))) << prompts_with_words[i];
    const auto found = encoder.encode(tokens, Reader::sd1, 0, extra);
    EXPECT_TRUE(near(found.states, tensor(c10::str("learned.", i)), kTolerance)) << prompts_with_words[i];
  }
}

}  // namespace
}  // namespace keyflow
