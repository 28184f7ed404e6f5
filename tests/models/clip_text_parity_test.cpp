#include <ATen/ops/stack.h>
#include <c10/core/InferenceMode.h>

#include <nlohmann/json.hpp>

#include "models/clip/text_load.h"
#include "tests/tensor_match.h"
#include "weights/plan.h"

namespace keyflow {
namespace {

namespace fs = std::filesystem;
using clip::TextModel;
using tests::near;

const fs::path kReference = fs::path(KEYFLOW_BINARY_DIR) / "reference/clip_text";

class ClipTextParity : public ::testing::TestWithParam<std::string> {
 protected:
  TextModel load(const fs::path& path, size_t towers = 1, size_t which = 0) const {
    const auto file = weights::open_tensors(path);
    const auto found = clip::text_towers(file->tensors());
    EXPECT_EQ(found.size(), towers);
    const clip::TextKeys& keys = found.at(which);
    return load_text(file, keys, clip::text_config(*file, keys, kReference / GetParam() / "config.json"), {});
  }
  fs::path variant(const char* name) const { return kReference / (GetParam() + name + ".safetensors"); }
  at::Tensor tensor(const char* name) const { return case_->read(name); }

  c10::InferenceMode guard_;
  std::shared_ptr<weights::TensorFile> case_ = weights::open_tensors(kReference / (GetParam() + "_case.safetensors"));
};

TEST_P(ClipTextParity, FolderThatTransformersSaved) {
  const TextModel model = load(kReference / GetParam());
  const auto states = model.hidden_states(tensor("ids"));
  const at::Tensor expected = tensor("states");  // [N + 1, B, L, C]
  ASSERT_EQ(static_cast<int64_t>(states.size()), expected.size(0));
  for (size_t i = 0; i < states.size(); ++i) {
    EXPECT_TRUE(near(states[i], expected[static_cast<int64_t>(i)], 1e-5)) << "state " << i;
  }
  const auto last = near(model.final_norm(states.back()), tensor("last"), 1e-5);
  const auto pooled = near(model.project(model.pool(states.back(), tensor("ids"))), tensor("pooled"), 1e-5);
  EXPECT_TRUE(last);
  EXPECT_TRUE(pooled);
  RecordProperty("last", last.message());
  RecordProperty("pooled", pooled.message());
}

TEST_P(ClipTextParity, LearnedEmbeddingsStandForIdsPastTheVocabulary) {
  const TextModel model = load(kReference / GetParam());
  const at::Tensor ids = tensor("learned_ids");
  const auto states = model.hidden_states(ids, tensor("extra"));
  EXPECT_TRUE(near(at::stack(states), tensor("learned_states"), 1e-5));
  const at::Tensor pooled = model.pool(states.back(), ids);
  if (case_->find("learned_pooled")) {
    EXPECT_TRUE(near(model.project(pooled), tensor("learned_pooled"), 1e-5));
  } else {
    EXPECT_TRUE(pooled[0].equal(model.final_norm(states.back())[0][7]));
    EXPECT_TRUE(pooled[1].equal(model.final_norm(states.back())[1][12]));
  }
}

TEST_P(ClipTextParity, OtherSpellingsGiveTheSame) {
  const auto result = [&](const TextModel& model) {
    const auto states = model.hidden_states(tensor("ids"));
    return std::pair(at::stack(states), model.project(model.pool(states.back(), tensor("ids"))));
  };
  const auto [states, pooled] = result(load(kReference / GetParam()));
  const auto same = [&](const TextModel& model) {
    const auto [other, other_pooled] = result(model);
    return other.equal(states) && near(other_pooled, pooled, 1e-6);
  };
  EXPECT_TRUE(same(load(variant("_prefixed"))));
  EXPECT_TRUE(same(load(variant("_ldm"))));
  EXPECT_TRUE(same(load(variant("_sgm"), 2, 1)));
  // By name bigG comes first in such files; it is the second encoder all the same.
  EXPECT_TRUE(same(load(variant("_sd3"), 2, 1)));
  EXPECT_FALSE(same(load(variant("_sd3"), 2, 0)));
}

// The file's config says how many layers run; its last one and the projection are left alone.
TEST_P(ClipTextParity, SecondGenerationStopsBeforeTheLastLayer) {
  const auto file = weights::open_tensors(variant("_sd2"));
  const auto towers = clip::text_towers(file->tensors());
  ASSERT_EQ(towers.size(), 1u);
  clip::TextConfig config = clip::text_config(*file, towers[0]);
  EXPECT_EQ(config.num_hidden_layers, 4);
  EXPECT_EQ(config.projection_dim, 0);
  config.num_attention_heads = 3;
  config.hidden_act = GetParam() == "projected" ? "gelu" : "quick_gelu";
  const auto states = clip::load_text(file, towers[0], config, {}).hidden_states(tensor("ids"));
  EXPECT_TRUE(near(at::stack(states), tensor("states"), 1e-5));
}

INSTANTIATE_TEST_SUITE_P(Kinds, ClipTextParity, ::testing::Values("highest_end", "first_end", "projected"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace keyflow
