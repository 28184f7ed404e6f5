#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

#include <fstream>
#include <limits>

#include "core/random.h"
#include "tests/tensor_match.h"
#include "tests/weights/hostile_files.h"
#include "weights/lora_folder.h"
#include "weights/lora_set.h"

namespace keyflow::weights {
namespace {

namespace fs = std::filesystem;
using testing::ScratchFolder;
using Named = std::vector<std::pair<std::string, at::Tensor>>;

struct KeyCase {
  const char *name, *layer;
  LoraRole role;
};

TEST(LoraKey, TakesEverySpellingApart) {
  for (const auto& [name, layer, role] : std::vector<KeyCase>{
           {"lora_unet_mid_block.lora_down.weight", "lora_unet_mid_block", LoraRole::down},
           {"unet.a.to_out.0.lora_A.weight", "unet.a.to_out.0", LoraRole::down},
           {"a.to_q.lora_B.default.weight", "a.to_q", LoraRole::up},
           {"a.to_q.lora_B.bias", "a.to_q", LoraRole::up_bias},
           {"a.to_q.lora.up.weight", "a.to_q", LoraRole::up},
           {"a.processor.to_q_lora.down.weight", "a.processor.to_q", LoraRole::down},
           {"a.q_proj.lora_linear_layer.up.weight", "a.q_proj", LoraRole::up},
           {"a.q_proj.lora_linear_layer.alpha", "a.q_proj", LoraRole::alpha},
           {"double_blocks.0.processor.qkv_lora1.down.weight", "double_blocks.0.processor.qkv_lora1", LoraRole::down},
           {"single_blocks.0.processor.qkv_lora.up.weight", "single_blocks.0.processor.qkv", LoraRole::up},
           {"x.alpha", "x", LoraRole::alpha},
           {"x.lora_mid.weight", "x", LoraRole::mid},
           {"x.dora_scale", "x", LoraRole::magnitude},
           {"x.lora_magnitude_vector.default", "x", LoraRole::row_magnitude},
           {"x.lora_magnitude_vector", "x", LoraRole::row_magnitude},
           {"x.hada_w1_a", "x", LoraRole::hada_w1_a},
           {"x.lokr_w2.default", "x", LoraRole::lokr_w2},
           {"x.diff", "x", LoraRole::difference},
           {"x.w_norm", "x", LoraRole::difference},
           {"x.diff_b", "x", LoraRole::bias_difference}}) {
    const auto key = lora_key(name);
    ASSERT_TRUE(key) << name;
    EXPECT_EQ(key->layer, layer) << name;
    EXPECT_EQ(key->role, role) << name;
  }
  for (const char* other : {"decoder.up.0.weight", "a.mid.weight", "lora_down.weight", "x.weight", "x", "x.lora_A.bias",
                            "first.alpha.second", ""}) {
    EXPECT_FALSE(lora_key(other)) << other;
  }
}

class LoraFileTest : public ::testing::Test {
 protected:
  LoraFile open(const Named& tensors, const std::map<std::string, std::string>& metadata = {},
                const char* name = "a.safetensors") {
    save_safetensors(scratch_.path() / name, tensors, metadata);
    return LoraFile(open_tensors(scratch_.path() / name));
  }
  /// The text of the error that opening throws.
  std::string problem(const Named& tensors) {
    try {
      open(tensors);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::weights);
      return error.what();
    }
    return "no error";
  }
  ScratchFolder scratch_;
};

const at::Tensor kDown = at::ones({2, 5}), kUp = at::ones({3, 2});
at::Tensor number(double value) { return at::full({}, value); }

TEST_F(LoraFileTest, RefusesLayersThatAreNotWhole) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<std::pair<Named, std::string>> cases{
      {{{"x.lora_up.weight", kUp}}, "x: an upper factor without the lower one"},
      {{{"x.lora_down.weight", kDown}}, "x: a lower factor without the upper one"},
      {{{"x.lora_up.weight", kUp}, {"x.lora_down.weight", at::ones({4, 5})}}, "x: ranks differ: [3, 2] and [4, 5]"},
      {{{"x.lora_up.weight", kUp}, {"x.lora_down.weight", at::ones({2})}}, "x: factors are not matrices"},
      {{{"x.lora_up.weight", at::zeros({3, 0})}, {"x.lora_down.weight", at::zeros({0, 5})}}, "x: expected a matrix"},
      {{{"x.lora_up.weight", kUp}, {"x.lora_down.weight", at::ones({2, 5}, at::kInt)}}, "x: expected floating point"},
      {{{"x.lora_up.weight", kUp}, {"x.lora_down.weight", kDown}, {"x.alpha", number(nan)}}, "x: alpha is not finite"},
      {{{"x.lora_up.weight", kUp}, {"x.lora_down.weight", kDown}, {"x.alpha", kUp}}, "x: alpha: expected one number"},
      {{{"x.hada_w1_a", kUp}, {"x.hada_w1_b", kDown}}, "x: one of the two matrices is missing"},
      {{{"x.lokr_w1", kUp}, {"x.lokr_w2_a", kUp}}, "x: an upper factor without the lower one"},
      {{{"x.lora_A.weight", kDown}, {"x.lora_down.weight", kDown}}, "a second tensor of the same role"},
      {{{"x.diff", kUp}, {"x.lora_up.weight", kUp}, {"x.lora_down.weight", kDown}},
       "both a LoRA and a full difference"},
      {{{"x.weight", kUp}}, "expected a LoRA, found 1 tensors and none of one, the first x.weight"},
  };
  for (const auto& [tensors, text] : cases) {
    const std::string found = problem(tensors);
    EXPECT_NE(found.find(text), std::string::npos) << "expected " << text << ", found " << found;
  }
}

TEST_F(LoraFileTest, TellsWhatItHolds) {
  const LoraFile file = open({{"a.lora_up.weight", kUp},
                              {"a.lora_down.weight", kDown},
                              {"a.alpha", number(1)},
                              {"b.diff_b", at::ones({4})},
                              {"c.alpha", number(3)},
                              {"whole.weight", kUp}});
  ASSERT_EQ(file.entries().size(), 2U);
  EXPECT_EQ(file.entries()[0].rank, 2);
  EXPECT_EQ(file.entries()[0].scale, 0.5);
  EXPECT_TRUE(file.entries()[1].bias);
  EXPECT_EQ(file.others(), (std::vector<std::string>{"whole.weight", "c.alpha"}));
  EXPECT_TRUE(is_lora(file.file().tensors()));
}

TEST_F(LoraFileTest, ScalesComeFromPeftAndDiffusers) {
  const Named layers{{"unet.a.lora_A.weight", kDown},
                     {"unet.a.lora_B.weight", kUp},
                     {"unet.b.lora_A.weight", kDown},
                     {"unet.b.lora_B.weight", kUp}};
  const auto scales = [](const LoraFile& file) { return std::pair(file.entries()[0].scale, file.entries()[1].scale); };
  EXPECT_EQ(scales(open(layers)), std::pair(1.0, 1.0));
  EXPECT_EQ(scales(open(layers, {{"lora_adapter_metadata",
                                  R"({"unet.r": 2, "unet.lora_alpha": 6, "unet.alpha_pattern": {"b": 4}})"}})),
            std::pair(3.0, 2.0));
  EXPECT_EQ(scales(open(layers, {{"lora_adapter_metadata", R"({"text_encoder.lora_alpha": 6})"}})),
            std::pair(1.0, 1.0));
  std::ofstream(scratch_.path() / "adapter_config.json") << R"({"r": 2, "lora_alpha": 6, "use_rslora": true})";
  const auto [first, second] = scales(open(layers, {}, "adapter_model.safetensors"));
  EXPECT_DOUBLE_EQ(first, 6 / std::sqrt(2.0));
  EXPECT_DOUBLE_EQ(second, first);
  std::ofstream(scratch_.path() / "adapter_config.json") << R"({"lora_alpha": "much"})";
  EXPECT_THROW(open(layers, {}, "adapter_model.safetensors"), Error);
  std::ofstream(scratch_.path() / "adapter_config.json") << R"({"lora_alpha": 1, "alpha_pattern": {"^a.*": 4}})";
  EXPECT_THROW(open(layers, {}, "adapter_model.safetensors"), Error);
}

std::vector<Adapter> adapters_of_every_kind() {
  Adapter low, hadamard, kronecker, full;
  low.first = {randn({12, 2}, 1), randn({2, 10}, 2)};
  low.scale = 0.3;
  hadamard.first = {randn({12, 2}, 3), randn({2, 10}, 4)};
  hadamard.second = {randn({12, 3}, 5), randn({3, 10}, 6)};
  kronecker.left = randn({4, 5}, 7);
  kronecker.first = {randn({3, 2}, 8), {}};
  kronecker.scale = -2;
  full.first = {randn({12, 10}, 9), {}};
  return {low, hadamard, kronecker, full};
}

TEST(AdapterRows, AreRowsOfTheDelta) {
  for (const auto& adapter : adapters_of_every_kind()) {
    const at::Tensor whole = delta(adapter, {12, 10});
    EXPECT_EQ(adapter.out(), 12);
    EXPECT_EQ(adapter.columns(), 10);
    for (const auto& [begin, count] : {std::pair(0, 12), std::pair(4, 5), std::pair(11, 1), std::pair(2, 7)}) {
      const Adapter rows = rows_of(adapter, begin, count);
      EXPECT_EQ(rows.out(), count);
      EXPECT_TRUE(delta(rows, {count, 10}).equal(whole.narrow(0, begin, count)));
      const Adapter fewer = rows_of(rows, count - 1, 1);
      EXPECT_TRUE(delta(fewer, {1, 10}).equal(whole.narrow(0, begin + count - 1, 1)));
    }
  }
}

TEST(AdapterRows, DoraGivesRowsTheirLengths) {
  Adapter adapter = adapters_of_every_kind()[0];
  adapter.magnitude = at::full({12}, 3.0);
  const at::Tensor weight = randn({12, 10}, 10);
  EXPECT_TRUE(tests::near(merged(weight, {adapter}).norm(2, 1), at::full({12}, 3.0), 1e-6));
  adapter.magnitude = at::full({1, 10}, 2.0);
  EXPECT_TRUE(tests::near(merged(weight, {adapter}).norm(2, 0), at::full({10}, 2.0), 1e-6));
  adapter.strength = 0;
  EXPECT_TRUE(merged(weight, {adapter}).equal(weight));
}

struct Fixed final : Source {
  at::Tensor get(const std::string&, at::IntArrayRef shape, Init, int64_t) override {
    return at::ones(shape, at::kBFloat16);
  }
};

TEST(OverlayTest, AddsWhatNoLayerClaims) {
  Fixed fixed;
  Overlay beside, merging(LoraMode::merged);
  Adapter adapter;
  adapter.first = {at::full({2, 2}, 0.5), {}};
  for (Overlay* overlay : {&beside, &merging}) overlay->add("a.weight", adapter);
  OverlaySource source(fixed, beside), other(fixed, merging);
  const auto get = [](Source& from, const char* name) { return from.get(name, {2, 2}, Init::zeros, 0); };
  EXPECT_TRUE(get(source, "a.weight").equal(at::full({2, 2}, 1.5)));
  EXPECT_TRUE(get(source, "b.weight").equal(at::ones({2, 2}, at::kBFloat16)));
  EXPECT_FALSE(source.claim_adapters("b.weight"));
  EXPECT_EQ(source.claim_adapters("a.weight")->size(), 1U);
  EXPECT_TRUE(get(source, "a.weight").equal(at::ones({2, 2}, at::kBFloat16)));
  EXPECT_FALSE(other.claim_adapters("a.weight"));
  EXPECT_TRUE(get(other, "a.weight").equal(at::full({2, 2}, 1.5, at::kBFloat16)));
  // What scales the whole weight is not something to be added to a product.
  adapter.magnitude = at::ones({2});
  beside.add("a.weight", adapter);
  EXPECT_FALSE(OverlaySource(fixed, beside).claim_adapters("a.weight"));
}

TEST(LoraSetTest, WeightsAreFiniteNumbers) {
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_THROW(LoraSet({{"x.safetensors", infinity}}), Error);
  EXPECT_THROW(LoraSet({{"x.safetensors", 1, infinity}}), Error);
}

TEST(LoraFolder, FindsNamesInsideOnly) {
  const ScratchFolder scratch;
  fs::create_directories(scratch.path() / "loras/styles");
  for (const char* name : {"secret.pt", "loras/ink.safetensors", "loras/ink.v2.safetensors", "loras/styles/oil.pt"}) {
    testing::write_bytes(scratch.path() / name, "x");
  }
  const fs::path folder = scratch.path() / "loras";
  EXPECT_EQ(find_lora(folder, "ink"), folder / "ink.safetensors");
  EXPECT_EQ(find_lora(folder, "ink.v2"), folder / "ink.v2.safetensors");
  EXPECT_EQ(find_lora(folder, "ink.safetensors"), folder / "ink.safetensors");
  EXPECT_EQ(find_lora(folder, "styles/oil"), folder / "styles/oil.pt");
  for (const char* name : {"", "../secret", "styles/../../secret", "/etc/passwd", "a\\b"}) {
    try {
      find_lora(folder, name);
      ADD_FAILURE() << name;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::usage) << name;
    }
  }
  try {
    find_lora(folder, "inc");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::io);
    EXPECT_NE(std::string(error.what()).find("did you mean ink?"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace keyflow::weights
