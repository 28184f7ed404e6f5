#include "weights/float_scales.h"

#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>

#include "core/random.h"
#include "tests/tensor_match.h"
#include "tests/weights/hostile_files.h"
#include "weights/plan.h"

namespace keyflow::weights {
namespace {

using Tensors = std::map<std::string, at::Tensor>;

class FloatScales : public ::testing::Test {
 protected:
  std::shared_ptr<TensorFile> open(const Tensors& tensors) const {
    const auto path = scratch_.path() / "model.safetensors";
    save_safetensors(path, {tensors.begin(), tensors.end()});
    return open_tensors(path);
  }
  std::string refusal(const Tensors& tensors) const {
    try {
      open(tensors);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::weights);
      return error.what();
    }
    return "";
  }
  static at::Tensor text(const std::string& json) {
    std::vector<int64_t> bytes(json.begin(), json.end());
    return at::tensor(bytes, at::kLong).to(at::kByte);
  }
  testing::ScratchFolder scratch_;
  const at::Tensor values_ = randn({4, 6}, 1).to(at::kFloat8_e4m3fn);
  const at::Tensor plain_ = values_.to(at::kFloat);
};

TEST_F(FloatScales, PlainCastsAreReadAsTheyAre) {
  const auto file = open({{"a.weight", values_}, {"b.weight", values_.to(at::kFloat).to(at::kFloat8_e5m2)}});
  EXPECT_EQ(file->find("a.weight")->dtype, at::kFloat8_e4m3fn);
  EXPECT_FALSE(file->find("a.weight")->packed());
  EXPECT_TRUE(unpack(*file->blocks("a.weight")).equal(plain_));
  FileSource source(file);
  EXPECT_TRUE(source.get_weight("a.weight", {4, 6}, Init::fan_in, 6).blocks.defined());
}

TEST_F(FloatScales, EverySpellingMultiplies) {
  const at::Tensor one = at::full({}, 2.5F), rows = at::tensor({1.F, -2.F, 0.5F, 3.F});
  for (const auto& [key, scale] : {std::pair<std::string, at::Tensor>{"scale_weight", one},
                                   {"weight_scale", one},
                                   {"weight_scale", rows},
                                   {"weight_scale", rows.unsqueeze(1).to(at::kBFloat16)}}) {
    SCOPED_TRACE(key + shape_text(scale.sizes()));
    const auto file = open({{"p.a.weight", values_},
                            {"p.a." + key, scale},
                            {"p.a.scale_input", one},
                            {"p.b.weight", randn({3}, 2)},
                            {"scaled_fp8", at::ones({2}).to(at::kFloat8_e4m3fn)}});
    ASSERT_EQ(file->tensors().size(), 2u);
    const at::Tensor factor = scale.to(at::kFloat).numel() == 1 ? one : rows.unsqueeze(1);
    EXPECT_EQ(file->find("p.a.weight")->dtype, at::kFloat);
    EXPECT_EQ(file->find("p.a.weight")->type_name(), "fp8_e4m3");
    EXPECT_EQ(file->find("p.a.weight")->bytes(), 24u);
    EXPECT_TRUE(file->read("p.a.weight").equal(plain_ * factor));
    FileSource source(file);
    EXPECT_TRUE(unpack(source.get_weight("p.a.weight", {4, 6}, Init::fan_in, 6).blocks).equal(plain_ * factor));
  }
}

TEST_F(FloatScales, ComfysSettingsMayOnlySayWhatIsDone) {
  const at::Tensor one = at::full({}, 2.F);
  const auto with = [&](const std::string& json) {
    return Tensors{{"a.weight", values_}, {"a.weight_scale", one}, {"a.comfy_quant", text(json)}};
  };
  EXPECT_EQ(open(with(R"({"format": "float8_e4m3fn"})"))->tensors().size(), 1u);
  const auto other = open(with(R"({"format": "nvfp4"})"));
  EXPECT_NE(other->find("a.comfy_quant"), nullptr);
  const auto plan = record([](const Scope& w) { (w / "a").tensor("weight", {4, 6}, Init::fan_in, 6); });
  const auto report = plan.compare(other->tensors());
  ASSERT_EQ(report.unexpected.size(), 1u);
  EXPECT_NE(report.unexpected[0].find("a.comfy_quant"), std::string::npos);
}

TEST_F(FloatScales, UnknownScalesAreUnexpectedByName) {
  const auto file = open({{"a.weight", values_}, {"a.weight_scale_inv", at::ones({1, 1})}});
  const auto plan = record([](const Scope& w) { (w / "a").tensor("weight", {4, 6}, Init::fan_in, 6); });
  const auto report = plan.compare(file->tensors());
  ASSERT_EQ(report.unexpected.size(), 1u);
  EXPECT_NE(report.unexpected[0].find("a.weight_scale_inv"), std::string::npos);
  // Nor is a scale taken up whose weight is no 8-bit float.
  const auto wide = open({{"a.weight", plain_}, {"a.scale_weight", at::ones({})}, {"b.weight", values_}});
  EXPECT_NE(wide->find("a.scale_weight"), nullptr);
}

TEST_F(FloatScales, RefusesScalesThatDoNotFit) {
  const std::string shape = refusal({{"a.weight", values_}, {"a.scale_weight", at::ones({3})}});
  EXPECT_NE(shape.find("a.scale_weight"), std::string::npos) << shape;
  EXPECT_NE(shape.find("[3]"), std::string::npos) << shape;
  EXPECT_NE(refusal({{"a.weight", values_}, {"a.scale_weight", at::full({}, std::nan(""))}}).find("NaN"),
            std::string::npos);
  EXPECT_NE(refusal({{"a.weight", values_}, {"a.scale_weight", at::ones({}, at::kInt)}}).find("int32"),
            std::string::npos);
  EXPECT_NE(refusal({{"a.weight", values_}, {"a.scale_weight", at::ones({})}, {"a.weight_scale", at::ones({})}})
                .find("a second scale"),
            std::string::npos);
  const std::string bare = refusal({{"a.weight", values_}, {"a.scale_weight", at::ones({})}, {"b.weight", values_}});
  EXPECT_NE(bare.find("\n  b.weight [4, 6]"), std::string::npos) << bare;
  EXPECT_NE(refusal({{"a.weight", values_}, {"x.scaled_fp8", at::ones({0}).to(at::kFloat8_e4m3fn)}}).find("a.weight"),
            std::string::npos);
}

TEST_F(FloatScales, DequantisedWeightsPointWhereTheirSourceDid) {
  const at::Tensor source = randn({64, 64}, 3) * 0.02, scale = source.abs().max() / 448;
  const auto file = open({{"a.weight", (source / scale).to(at::kFloat8_e4m3fn)}, {"a.scale_weight", scale}});
  const at::Tensor x = file->read("a.weight").flatten(), y = source.flatten();
  const double cosine = (x.dot(y) / (x.norm() * y.norm())).item<double>();
  EXPECT_GT(cosine, 0.999);
}

}  // namespace
}  // namespace keyflow::weights
