#include "weights/plan.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/ones.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "tests/weights/hostile_files.h"

namespace keyflow::weights {
namespace {

namespace fs = std::filesystem;
using testing::ScratchFolder;

/// Two blocks of attention and a table, as a model's constructor would ask for them.
void tiny(const Scope& w) {
  for (int i = 0; i < 2; ++i) {
    const Scope block = w / "blocks" / i;
    for (const char* name : {"q", "k", "v"}) (block / "attn" / name).tensor("weight", {6, 4}, Init::fan_in, 4);
    (block / "norm").tensor("weight", {4}, Init::ones);
  }
  w.tensor("modulation", {1, 6, 4}, Init::normal_02);
}

std::vector<TensorInfo> infos(const Plan& plan, const Rename& rename = same_name) { return plan.as_file(rename); }

/// q, k and v of a block lie stacked in one tensor of the file.
FileName stacked(const std::string& name) {
  for (const auto& [part, letter] : {std::pair<int64_t, std::string>{0, ".q."}, {1, ".k."}, {2, ".v."}}) {
    const auto at = name.find(letter);
    if (at != std::string::npos) return {"model." + name.substr(0, at) + ".qkv." + name.substr(at + 3), part, 3};
  }
  return {"model." + name};
}

TEST(Plan, RecordsNamesAndShapesOnMetaTensors) {
  const Plan plan = record(tiny);
  ASSERT_EQ(plan.entries().size(), 9u);
  EXPECT_EQ(plan.entries()[0].first, "blocks.0.attn.q.weight");
  EXPECT_EQ(plan.entries()[0].second, (std::vector<int64_t>{6, 4}));
  EXPECT_EQ(plan.entries()[8].first, "modulation");
  Plan meta;
  const at::Tensor huge = Scope(meta, Compute{}).tensor("w", {1 << 20, 1 << 20});
  EXPECT_TRUE(huge.is_meta());
}

TEST(Plan, AsFileJoinsThePartsAndSorts) {
  const auto list = infos(record(tiny), stacked);
  ASSERT_EQ(list.size(), 5u);
  EXPECT_EQ(list[0].name, "model.blocks.0.attn.qkv.weight");
  EXPECT_EQ(list[0].shape, (std::vector<int64_t>{18, 4}));
  EXPECT_EQ(list[1].name, "model.blocks.0.norm.weight");
}

TEST(Plan, EqualListsMatch) {
  const Plan plan = record(tiny);
  EXPECT_TRUE(plan.compare(infos(plan)).matches());
  EXPECT_TRUE(plan.compare(infos(plan, stacked), stacked).matches());
}

TEST(Plan, DimensionsOfOneDoNotCount) {
  const Plan plan = record(tiny);
  auto list = infos(plan);
  for (auto& info : list) {
    if (info.name == "modulation") info.shape = {6, 4};
    if (info.name == "blocks.0.norm.weight") info.shape = {4, 1, 1};
  }
  EXPECT_TRUE(plan.compare(list).matches());
}

TEST(Plan, S33_AllFaultsStandInOneReport) {
  ScratchFolder scratch;
  const fs::path path = scratch.path() / "model.safetensors";
  const auto x = [](at::IntArrayRef shape) { return at::ones(shape); };
  save_safetensors(path, {{"blocks.0.attn.query.weight", x({6, 4})},
                          {"blocks.0.attn.k.weight", x({4, 6})},
                          {"blocks.0.attn.v.weight", x({6, 4})},
                          {"blocks.0.norm.weight", x({4})},
                          {"blocks.1.attn.q.weight", x({6, 4})},
                          {"blocks.1.attn.k.weight", x({6, 4})},
                          {"blocks.1.attn.v.weight", x({6, 4})},
                          {"blocks.1.norm.weight", at::ones({4}, at::kLong)},
                          {"text_model.embeddings.position_ids", x({77})}});
  try {
    record(tiny).require_match(*open_tensors(path), "models/tiny with configs/tiny.json");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::weights);
    const std::string text = error.what();
    const auto has = [&](const std::string& words) {
      EXPECT_NE(text.find(words), std::string::npos) << words << "\nin " << text;
    };
    has(path.string() +
        " does not fit models/tiny with configs/tiny.json; 2 missing, 2 unexpected, 2 of another shape");
    has("\n  missing     blocks.0.attn.q.weight [6, 4] (closest: blocks.0.attn.query.weight)");
    has("\n  missing     modulation [1, 6, 4]");
    has("\n  unexpected  blocks.0.attn.query.weight [6, 4] (closest: blocks.0.attn.q.weight)");
    has("\n  unexpected  text_model.embeddings.position_ids [77]");
    has("\n  shape       blocks.0.attn.k.weight: model [6, 4], file [4, 6]");
    has("\n  shape       blocks.1.norm.weight: model floating point, file int64");  // S30
  }
}

TEST(Plan, S33_AnotherFamilyIsReportedQuickly) {
  const Plan plan = record([](const Scope& w) {
    for (int i = 0; i < 1500; ++i) (w / "blocks" / i).tensor("weight", {4});
  });
  std::vector<TensorInfo> foreign;
  for (int i = 0; i < 1500; ++i)
    foreign.push_back({"down_blocks." + std::to_string(i) + ".conv.weight", at::kFloat, {4}});
  const auto report = plan.compare(foreign);
  EXPECT_EQ(report.missing.size(), 1500u);
  EXPECT_EQ(report.unexpected.size(), 1500u);
}

TEST(Plan, IgnoredTensorsAreNotUnexpected) {
  const Plan plan = record(tiny);
  auto list = infos(plan);
  list.push_back({"position_ids", at::kLong, {77}});
  EXPECT_EQ(plan.compare(list).unexpected.size(), 1u);
  EXPECT_TRUE(plan.compare(list, same_name, [](const std::string& name) { return name == "position_ids"; }).matches());
}

TEST(Plan, NamesOfTheFileAreEscapedInTheReport) {
  const auto report = record(tiny).compare({{"evil\nerror: forged", at::kFloat, {1}}});
  ASSERT_EQ(report.unexpected.size(), 1u);
  EXPECT_EQ(report.unexpected[0], "evil\\x0aerror: forged [1]");
}

TEST(FileSource, GivesThePartsOfAStackedTensorWithoutCopying) {
  ScratchFolder scratch;
  const fs::path path = scratch.path() / "model.safetensors";
  const at::Tensor qkv = at::arange(72, at::kFloat).reshape({18, 4});
  save_safetensors(path, {{"model.attn.qkv.weight", qkv}});
  const auto file = open_tensors(path);
  FileSource source(file, stacked);
  const at::Tensor k = source.get("attn.k.weight", {6, 4}, Init::zeros, 0);
  EXPECT_TRUE(k.equal(qkv.narrow(0, 6, 6)));
  EXPECT_EQ(k.const_data_ptr(), static_cast<const float*>(file->read("model.attn.qkv.weight").const_data_ptr()) + 24);
}

/// q and k of two rows and an MLP of eight in one tensor.
FileName unequal(const std::string& name) {
  if (name.starts_with("mlp.")) return {"linear1." + name.substr(4), 2, 6, 4};
  return {"linear1." + name.substr(2), name.starts_with("q.") ? 0 : 1, 6};
}

void ask_unequal(const Scope& w) {
  for (const char* name : {"q", "k"}) (w / name).tensor("weight", {2, 3});
  (w / "mlp").tensor("weight", {8, 3});
  (w / "mlp").tensor("bias", {8});
}

TEST(Plan, AsFileJoinsPartsOfUnequalSizes) {
  const auto list = infos(record(ask_unequal), unequal);
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(list[0].shape, (std::vector<int64_t>{12}));
  EXPECT_EQ(list[1].name, "linear1.weight");
  EXPECT_EQ(list[1].shape, (std::vector<int64_t>{12, 3}));
}

TEST(Plan, PartsThatMakeDifferentTensorsAreAFaultOfTheTable) {
  const auto wrong = [](const std::string& name) {
    return name.starts_with("mlp.") ? FileName{"linear1." + name.substr(4), 2, 6, 2} : unequal(name);
  };
  EXPECT_THROW(record(ask_unequal).as_file(wrong), Error);
  const auto uneven = [](const std::string&) { return FileName{"linear1", 0, 6, 3}; };
  EXPECT_THROW(record([](const Scope& w) { w.tensor("mlp", {8}); }).as_file(uneven), Error);
}

TEST(FileSource, GivesPartsOfUnequalSizesWithoutCopying) {
  ScratchFolder scratch;
  const fs::path path = scratch.path() / "model.safetensors";
  const at::Tensor stack = at::arange(36, at::kFloat).reshape({12, 3});
  save_safetensors(path, {{"linear1.weight", stack}});
  const auto file = open_tensors(path);
  FileSource source(file, unequal);
  EXPECT_TRUE(source.get("k.weight", {2, 3}, Init::zeros, 0).equal(stack.narrow(0, 2, 2)));
  const at::Tensor mlp = source.get("mlp.weight", {8, 3}, Init::zeros, 0);
  EXPECT_TRUE(mlp.equal(stack.narrow(0, 4, 8)));
  EXPECT_EQ(mlp.const_data_ptr(), static_cast<const float*>(file->read("linear1.weight").const_data_ptr()) + 12);
}

TEST(FileSource, AddsAndDropsDimensionsOfOne) {
  ScratchFolder scratch;
  const fs::path path = scratch.path() / "model.safetensors";
  save_safetensors(path, {{"w", at::arange(6, at::kFloat).reshape({6, 1, 1})}});
  FileSource source(open_tensors(path));
  EXPECT_EQ(source.get("w", {1, 6}, Init::zeros, 0).sizes(), (std::vector<int64_t>{1, 6}));
  EXPECT_THROW(source.get("w", {2, 3}, Init::zeros, 0), Error);
  EXPECT_THROW(source.get("x", {6}, Init::zeros, 0), Error);
}

TEST(InitSource, SameSeedSameWeightsInTheOrderAskedFor) {
  InitSource a(7), b(7), c(8);
  for (auto* source : {&a, &b, &c}) tiny(Scope(*source, Compute{}));
  ASSERT_EQ(a.named().size(), 9u);
  EXPECT_EQ(a.named()[8].first, "modulation");
  for (size_t i = 0; i < 9; ++i) {
    EXPECT_EQ(a.named()[i].first, b.named()[i].first);
    EXPECT_TRUE(a.named()[i].second.equal(b.named()[i].second)) << a.named()[i].first;
  }
  EXPECT_FALSE(a.named()[0].second.equal(c.named()[0].second));
}

TEST(InitSource, EachKindOfInitHasItsDistribution) {
  InitSource source(1);
  const Scope w(source, Compute{});
  const at::Tensor uniform = w.tensor("uniform", {400, 100}, Init::fan_in, 25);
  EXPECT_LE(uniform.abs().max().item<float>(), 0.2f);
  EXPECT_NEAR(uniform.std().item<float>(), 0.2 / std::sqrt(3.0), 2e-3);
  const at::Tensor normal = w.tensor("normal", {400, 100}, Init::normal_02);
  EXPECT_NEAR(normal.std().item<float>(), 0.02, 5e-4);
  EXPECT_EQ(w.tensor("ones", {3}, Init::ones).sum().item<float>(), 3);
  EXPECT_EQ(w.tensor("zeros", {3}, Init::zeros).abs().sum().item<float>(), 0);
}

TEST(InitSource, GivesLeavesThatRequireGradients) {
  InitSource source(1);
  tiny(Scope(source, Compute{}));
  ASSERT_EQ(source.parameters().size(), 9u);
  for (const auto& tensor : source.parameters()) {
    EXPECT_TRUE(tensor.is_leaf() && tensor.requires_grad());
    EXPECT_EQ(tensor.scalar_type(), at::kFloat);
  }
}

TEST(FileSource, TurnsAMatrixThatTheFileHasTransposed) {
  ScratchFolder scratch;
  const fs::path path = scratch.path() / "model.safetensors";
  const at::Tensor matrix = at::arange(6, at::kFloat).view({2, 3});
  save_safetensors(path, {{"turned", matrix.t().contiguous()}});
  const Rename rename = [](const std::string&) { return FileName{.name = "turned", .transposed = true}; };
  const auto make = [](const Scope& w) { return w.tensor("weight", {2, 3}); };
  record(make).require_match(*open_tensors(path), "one matrix", rename);
  FileSource source(open_tensors(path), rename);
  EXPECT_TRUE(make(Scope(source, Compute{})).equal(matrix));
}

TEST(InitSource, SavedWeightsLoadBackThroughAPlan) {
  ScratchFolder scratch;
  const fs::path path = scratch.path() / "model.safetensors";
  InitSource source(3);
  tiny(Scope(source, Compute{}));
  save_safetensors(path, source.named());
  const auto file = open_tensors(path);
  record(tiny).require_match(*file, "tiny");
  for (const auto& [name, tensor] : source.named()) EXPECT_TRUE(file->read(name).equal(tensor.detach())) << name;
}

}  // namespace
}  // namespace keyflow::weights
