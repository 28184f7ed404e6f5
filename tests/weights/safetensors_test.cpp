// robustness.md §2: what must be accepted; and what save_safetensors writes.
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/random.h"
#include "tests/weights/hostile_files.h"
#include "weights/hash.h"
#include "weights/plan.h"
#include "weights/tensor_file.h"

namespace keyflow::weights {
namespace {

namespace fs = std::filesystem;
using namespace testing;

std::string floats(std::initializer_list<float> values) {
  std::string bytes;
  for (const float value : values) bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
  return bytes;
}

class Safetensors : public ::testing::Test {
 protected:
  std::shared_ptr<TensorFile> open(const std::string& bytes) {
    write_bytes(path(), bytes);
    return open_tensors(path());
  }
  fs::path path() const { return scratch_.path() / "model.safetensors"; }
  std::string content() const { return read_file(path(), 1 << 20); }
  ScratchFolder scratch_;
};

std::string header_only(std::string_view json) { return safetensors(json); }

TEST_F(Safetensors, HeaderPaddedWithSpaces) {
  const auto file =
      open(header_only(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}     )") + floats({1, 2}));
  EXPECT_EQ(file->read("a").sum().item<float>(), 3);
}

TEST_F(Safetensors, TensorsInAnyOrderComeOutSorted) {
  const auto file = open(header_only(R"({"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]},)"
                                     R"("c":{"data_offsets":[8,12],"shape":[1],"dtype":"F32"},)"
                                     R"("a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})") +
                         floats({1, 2, 3}));
  ASSERT_EQ(file->tensors().size(), 3u);
  EXPECT_EQ(file->tensors()[0].name, "a");
  EXPECT_EQ(file->read("a").item<float>(), 1);
  EXPECT_EQ(file->read("b").item<float>(), 2);
  EXPECT_EQ(file->read("c").item<float>(), 3);
}

TEST_F(Safetensors, RankZeroAndZeroSizes) {
  const auto file = open(header_only(R"({"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},)"
                                     R"("b":{"dtype":"F32","shape":[3,0,5],"data_offsets":[4,4]}})") +
                         floats({7}));
  EXPECT_EQ(file->read("a").dim(), 0);
  EXPECT_EQ(file->read("a").item<float>(), 7);
  EXPECT_EQ(file->read("b").sizes(), (std::vector<int64_t>{3, 0, 5}));
}

TEST_F(Safetensors, MetadataOfAnyStrings) {
  const auto file = open(header_only(R"({"__metadata__":{"":"empty key","text":"line\nbreak \u0001"},)"
                                     R"("a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})") +
                         "\x05");
  EXPECT_EQ(file->metadata().at(""), "empty key");
  EXPECT_EQ(file->metadata().at("text"), "line\nbreak \x01");
}

TEST_F(Safetensors, MisalignedDataIsCopiedWithTheSameValues) {
  const auto file = open(header_only(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                                     R"("b":{"dtype":"F32","shape":[2],"data_offsets":[1,9]}} )") +
                         "\x05" + floats({1.5f, -2}));
  const at::Tensor b = file->read("b");
  EXPECT_EQ(b[0].item<float>(), 1.5f);
  EXPECT_EQ(b[1].item<float>(), -2);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(b.const_data_ptr()) % 4, 0u);
}

TEST_F(Safetensors, AlignedDataIsNotCopiedAndOutlivesTheFile) {
  save_safetensors(path(), {{"a", at::arange(1000, at::kFloat)}});
  at::Tensor view;
  {
    const auto file = open_tensors(path());
    const at::Tensor a = file->read("a");
    EXPECT_EQ(a.const_data_ptr(), file->parts()[0].file->data() + file->parts()[0].header_end);
    view = a.narrow(0, 990, 10);
  }
  fs::remove(path());
  EXPECT_EQ(view[9].item<float>(), 999);
}

class SafetensorsTypes : public ::testing::TestWithParam<std::pair<const char*, at::ScalarType>> {};

TEST_P(SafetensorsTypes, ComeBackAsWritten) {
  const auto [name, type] = GetParam();
  ScratchFolder scratch;
  const fs::path path = scratch.path() / "model.safetensors";
  const at::Tensor x = at::arange(0, 6, at::kFloat).reshape({2, 3}).to(type);
  save_safetensors(path, {{"x", x}});
  EXPECT_NE(read_file(path, 1 << 16).find(std::string("\"") + name + "\""), std::string::npos);
  const auto file = open_tensors(path);
  EXPECT_EQ(file->tensors()[0].dtype, type);
  const at::Tensor y = file->read("x");
  ASSERT_EQ(y.scalar_type(), type);
  EXPECT_EQ(y.sizes(), x.sizes());
  EXPECT_EQ(std::memcmp(x.const_data_ptr(), y.const_data_ptr(), x.nbytes()), 0);
}

INSTANTIATE_TEST_SUITE_P(
    , SafetensorsTypes,
    ::testing::Values(std::pair{"F64", at::kDouble}, std::pair{"F32", at::kFloat}, std::pair{"F16", at::kHalf},
                      std::pair{"BF16", at::kBFloat16}, std::pair{"F8_E4M3", at::kFloat8_e4m3fn},
                      std::pair{"F8_E5M2", at::kFloat8_e5m2}, std::pair{"I64", at::kLong}, std::pair{"I32", at::kInt},
                      std::pair{"I16", at::kShort}, std::pair{"I8", at::kChar}, std::pair{"U8", at::kByte},
                      std::pair{"U16", at::kUInt16}, std::pair{"U32", at::kUInt32}, std::pair{"U64", at::kUInt64},
                      std::pair{"BOOL", at::kBool}, std::pair{"C64", at::kComplexFloat}),
    [](const auto& info) { return std::string(info.param.first); });

TEST_F(Safetensors, EveryTensorOfMixedTypesIsAligned) {
  save_safetensors(path(), {{"bytes", at::ones({3}, at::kByte)},
                            {"double", at::ones({1}, at::kDouble)},
                            {"half", at::ones({5}, at::kHalf)},
                            {"float", at::ones({3}, at::kFloat)}});
  const auto file = open_tensors(path());
  for (const auto& info : file->tensors()) {
    const auto* data = static_cast<const uint8_t*>(file->read(info.name).const_data_ptr());
    EXPECT_GE(data, file->parts()[0].file->data()) << info.name << " was copied";
    EXPECT_LT(data, file->parts()[0].file->data() + file->parts()[0].file->size()) << info.name << " was copied";
  }
}

TEST_F(Safetensors, HeaderListsTheTensorsInTheOrderGiven) {
  save_safetensors(path(), {{"z", at::ones({1}, at::kByte)}, {"a", at::ones({1}, at::kDouble)}}, {{"k", "v"}});
  const std::string text = content();
  const size_t metadata = text.find("__metadata__"), z = text.find("\"z\""), a = text.find("\"a\"");
  EXPECT_LT(metadata, z);
  EXPECT_LT(z, a);
}

TEST_F(Safetensors, SameArgumentsGiveTheSameBytes) {
  const std::vector<std::pair<std::string, at::Tensor>> tensors = {{"a", randn({3, 5}, 1)}, {"b", randn({7}, 2)}};
  save_safetensors(path(), tensors, {{"x", "1"}, {"y", "2"}});
  const std::string first = content();
  save_safetensors(path(), tensors, {{"y", "2"}, {"x", "1"}});
  EXPECT_EQ(content(), first);
}

TEST_F(Safetensors, StridedAndTrainedTensorsAreWrittenAsTheyRead) {
  const at::Tensor base = at::arange(12, at::kFloat).reshape({3, 4});
  at::Tensor trained = at::ones({2}, at::kFloat).requires_grad_();
  save_safetensors(
      path(), {{"transposed", base.t()}, {"wide", base.select(1, 0).unsqueeze(1).expand({3, 2})}, {"leaf", trained}});
  const auto file = open_tensors(path());
  EXPECT_TRUE(file->read("transposed").equal(base.t()));
  EXPECT_TRUE(file->read("wide").equal(base.select(1, 0).unsqueeze(1).expand({3, 2})));
  EXPECT_TRUE(file->read("leaf").equal(trained.detach()));
}

TEST_F(Safetensors, NothingIsLeftOfARefusedWrite) {
  write_bytes(path(), "before");
  const at::Tensor x = at::ones({1});
  for (const auto& names :
       std::vector<std::vector<std::string>>{{""}, {"a", "a"}, {"bad\n"}, {"__metadata__"}, {"\xFF"}}) {
    std::vector<std::pair<std::string, at::Tensor>> tensors;
    for (const auto& name : names) tensors.emplace_back(name, x);
    EXPECT_THROW(save_safetensors(path(), tensors), Error) << names[0];
  }
  EXPECT_THROW(save_safetensors(path(), {{"a", x}}, {{"k", "\xFF"}}), Error);
  EXPECT_THROW(save_safetensors(path(), {{"a", at::Tensor()}}), Error);
  EXPECT_EQ(content(), "before");
  EXPECT_EQ(std::distance(fs::directory_iterator(scratch_.path()), fs::directory_iterator()), 1);
}

TEST_F(Safetensors, UnknownNameIsAnErrorThatNamesIt) {
  save_safetensors(path(), {{"a", at::ones({1})}});
  const auto file = open_tensors(path());
  EXPECT_EQ(file->find("b"), nullptr);
  try {
    file->read("b");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("\"b\""), std::string::npos);
  }
}

TEST_F(Safetensors, TheNameOfTheFileDoesNotMatter) {
  const fs::path odd = scratch_.path() / "weights.pth";
  write_bytes(odd, small_safetensors());
  EXPECT_EQ(open_tensors(odd)->format(), "safetensors");
}

TEST_F(Safetensors, ModelHashTellsFilesOfOneShapeApart) {
  const at::Tensor x = randn({100'000}, 7);
  save_safetensors(path(), {{"x", x}});
  const std::string first = model_hash(*open_tensors(path()));
  EXPECT_EQ(first.size(), 64u);
  EXPECT_EQ(model_hash(*open_tensors(path())), first);
  save_safetensors(path(), {{"x", x * 1.01}});
  EXPECT_NE(model_hash(*open_tensors(path())), first);
  save_safetensors(path(), {{"y", x}});
  EXPECT_NE(model_hash(*open_tensors(path())), first);
}

}  // namespace
}  // namespace keyflow::weights
