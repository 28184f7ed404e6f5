#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include "core/error.h"
#include "models/clip/prompt.h"
#include "tests/tensor_match.h"
#include "weights/plan.h"

namespace keyflow::clip {
namespace {

TEST(ClipReadout, CountsLayersOfThePublishedNetwork) {
  TextConfig twelve, twenty_three;
  twelve.num_hidden_layers = 12;
  twenty_three.num_hidden_layers = 23;
  const auto expect = [](const Readout& found, int64_t layer, bool norm, bool projected) {
    EXPECT_EQ(found.layer, layer);
    EXPECT_EQ(found.final_norm, norm);
    EXPECT_EQ(found.projected, projected);
  };
  expect(readout(Reader::sd1, 0, twelve), 1, true, false);
  expect(readout(Reader::sd1, 1, twelve), 1, true, false);
  expect(readout(Reader::sd1, 2, twelve), 2, true, false);
  expect(readout(Reader::sd1, 12, twelve), 12, true, false);
  expect(readout(Reader::sd2, 0, twenty_three), 1, true, false);
  expect(readout(Reader::sd2, 2, twenty_three), 1, true, false);
  expect(readout(Reader::sd2, 24, twenty_three), 23, true, false);
  expect(readout(Reader::sdxl, 0, twelve), 2, false, true);
  expect(readout(Reader::sdxl, 1, twelve), 1, false, true);
  expect(readout(Reader::sd3, 3, twelve), 3, false, true);
  expect(readout(Reader::flux, 0, twelve), 1, false, false);
  for (const auto& [reader, skip] : {std::pair(Reader::sd1, int64_t{13}), {Reader::sd1, -1}, {Reader::sd2, 1}}) {
    try {
      readout(reader, skip, twelve);
      ADD_FAILURE() << skip;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::usage);
      EXPECT_NE(std::string(error.what()).find("clip skip: expected 0"), std::string::npos) << error.what();
    }
  }
}

TEST(ClipWeights, KeepTheMeanOfEachRow) {
  const at::Tensor states = at::randn({3, 5, 7}) + 0.5, weights = at::ones({3, 5}, at::kDouble);
  weights[1][2] = 1.7;
  weights[2] = at::tensor({1.0, 0.0, -0.4, 2.5, 1.0});
  const at::Tensor found = apply_weights(states, weights);
  EXPECT_TRUE(found[0].equal(states[0]));
  EXPECT_TRUE(tests::near(found.mean({1, 2}), states.mean({1, 2}), 1e-5));
  EXPECT_TRUE(tests::near(found[1][2] / found[1][0], 1.7 * states[1][2] / states[1][0], 1e-4));
  EXPECT_TRUE(found[2][1].equal(at::zeros({7})));
}

TEST(ClipWeights, ARowWithoutMeanStaysFinite) {
  at::Tensor states = at::full({1, 2, 2}, 1.0f);
  states.select(1, 1).fill_(-1);
  const at::Tensor found = apply_weights(states, at::full({1, 2}, 2.0));
  EXPECT_TRUE(found.isfinite().all().item<bool>());
  EXPECT_TRUE(found.abs().equal(at::full({1, 2, 2}, 2.0f)));
}

TEST(ClipPrompt, RowsStandOneAfterTheOther) {
  TextConfig config;
  config.vocab_size = 99;
  config.hidden_size = 32;
  config.intermediate_size = 48;
  config.num_hidden_layers = 2;
  config.num_attention_heads = 4;
  config.max_position_embeddings = 9;
  config.eos_token_id = 98;
  weights::InitSource init(3);
  const TextModel model(weights::Scope(init, Compute{}), config);
  const at::Tensor ids = at::tensor({97, 5, 6, 98, 98, 97, 7, 8, 9, 98}, at::kLong).view({2, 5});
  const Readout last = readout(Reader::sd1, 0, config);
  const PromptText both = encode_prompt(model, {ids, {}, {}}, last);
  EXPECT_EQ(both.states.sizes(), (std::vector<int64_t>{1, 10, 32}));
  const PromptText first = encode_prompt(model, {ids.narrow(0, 0, 1), {}, {}}, last),
                   second = encode_prompt(model, {ids.narrow(0, 1, 1), at::ones({1, 5}), {}}, last);
  EXPECT_TRUE(tests::near(both.states.narrow(1, 0, 5), first.states, 1e-5));
  EXPECT_TRUE(tests::near(both.states.narrow(1, 5, 5), second.states, 1e-5));
  EXPECT_TRUE(tests::near(both.pooled, first.pooled, 1e-5));
  EXPECT_THROW(encode_prompt(model, {ids, at::ones({2, 4}), {}}, last), Error);
  EXPECT_THROW(encode_prompt(model, {ids, {}, {}}, {.layer = 4}), Error);
}

}  // namespace
}  // namespace keyflow::clip
