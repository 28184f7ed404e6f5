#include <ATen/ops/arange.h>
#include <ATen/ops/ones.h>

#include "core/quantised/block_pack.h"
#include "core/random.h"
#include "tests/tensor_match.h"
#include "tests/weights/gguf_bytes.h"
#include "weights/hash.h"
#include "weights/plan.h"
#include "weights/tensor_writer.h"

namespace keyflow::weights {
namespace {

namespace fs = std::filesystem;
using namespace testing;

TensorToWrite plain(const std::string& name, const at::Tensor& x) {
  return {{name, x.scalar_type(), x.sizes().vec()}, [x] { return x; }};
}

TensorToWrite packed(const std::string& name, const at::Tensor& x, BlockFormat format) {
  return {{name, at::kFloat, x.sizes().vec(), format}, [=] { return pack(x, format).bytes; }};
}

TEST(Gguf, ReadsVersionsTwoAndThree) {
  const ScratchFolder scratch;
  for (const uint32_t version : {2u, 3u}) {
    const fs::path path = scratch.path() / "model.gguf";
    write_bytes(path, gguf_file({gguf_tensor("a", {4, 2}, 0, 0)}, {}, 32, version));
    const auto file = open_tensors(path);
    EXPECT_EQ(file->format(), "GGUF");
    ASSERT_EQ(file->tensors().size(), 1u);
    EXPECT_EQ(file->tensors()[0].shape, (std::vector<int64_t>{2, 4}));
    EXPECT_FALSE(file->blocks("a"));
  }
}

TEST(Gguf, IsFoundByItsFirstBytesAndInAFolder) {
  const ScratchFolder scratch;
  const std::string bytes = gguf_file({gguf_tensor("a", {4}, 0, 0)}, {}, 32);
  write_bytes(scratch.path() / "model.safetensors", bytes);
  EXPECT_EQ(open_tensors(scratch.path() / "model.safetensors")->format(), "GGUF");
  fs::rename(scratch.path() / "model.safetensors", scratch.path() / "model.gguf");
  EXPECT_EQ(open_tensors(scratch.path())->path().filename(), "model.gguf");
}

TEST(Gguf, TakesAnotherAlignment) {
  const ScratchFolder scratch;
  const fs::path path = scratch.path() / "model.gguf";
  std::string bytes = gguf_file({gguf_tensor("a", {1}, 0, 0), gguf_tensor("b", {1}, 0, 64)},
                                {gguf_key("general.alignment", 4, little(64, 4))});
  bytes.resize((bytes.size() + 63) / 64 * 64 + 64, '\0');
  write_bytes(path, bytes + little(0x40000000, 4));
  EXPECT_EQ(open_tensors(path)->read("b").item<float>(), 2);
}

TEST(Gguf, WhatIsWrittenIsRead) {
  const ScratchFolder scratch;
  const fs::path path = scratch.path() / "model.gguf";
  const at::Tensor matrix = randn({6, 512}, 1), conv = randn({8, 32, 3, 3}, 2), video = randn({4, 3, 1, 2, 2}, 3);
  const at::Tensor odd = randn({5, 7}, 4).to(at::kHalf), ids = at::arange(5, at::kLong), one = at::ones({}, at::kFloat);
  write_gguf(path,
             {plain("odd", odd), packed("matrix", matrix, BlockFormat::q5_k), packed("conv", conv, BlockFormat::q8_0),
              plain("video", video), plain("ids", ids), plain("one", one), plain("bf16", matrix.to(at::kBFloat16)),
              packed("video8", randn({4, 3, 1, 2, 64}, 5), BlockFormat::q8_0)},
             {{"general.architecture", "wan"}, {"modelspec.title", "two\nlines"}});
  const auto file = open_tensors(path);
  EXPECT_EQ(file->metadata(),
            (std::map<std::string, std::string>{{"general.architecture", "wan"}, {"modelspec.title", "two\nlines"}}));
  EXPECT_EQ(file->find("conv")->shape, conv.sizes().vec());
  EXPECT_EQ(file->find("video")->shape, video.sizes().vec());
  EXPECT_EQ(file->find("video8")->shape, (std::vector<int64_t>{4, 3, 1, 2, 64}));
  EXPECT_EQ(file->find("matrix")->type_name(), "q5_k");
  EXPECT_EQ(file->find("matrix")->bytes(), 6u * 2 * 176);
  EXPECT_TRUE(file->read("odd").equal(odd));
  EXPECT_TRUE(file->read("video").equal(video));
  EXPECT_TRUE(file->read("ids").equal(ids));
  EXPECT_TRUE(file->read("one").equal(one));
  EXPECT_TRUE(file->read("bf16").equal(matrix.to(at::kBFloat16)));
  EXPECT_TRUE(file->read("matrix").equal(unpack(pack(matrix, BlockFormat::q5_k))));
  EXPECT_TRUE(file->read("conv").equal(unpack(pack(conv, BlockFormat::q8_0))));
  EXPECT_EQ(model_hash(*file), model_hash(*open_tensors(path)));
  EXPECT_THROW(write_gguf(path, {plain("x", at::ones({2}, at::kByte))}), Error);
  EXPECT_THROW(write_gguf(path, {packed("x", matrix, BlockFormat::q8_0), plain("x", odd)}), Error);
  EXPECT_EQ(open_tensors(path)->tensors().size(), 8u) << "a failed write left another file";
}

/// q, k and v in one packed tensor of the file.
FileName stacked(const std::string& name) {
  const std::map<std::string, int64_t> parts{{"q", 0}, {"k", 1}, {"v", 2}};
  return {"qkv", parts.at(name), 3};
}

TEST(Gguf, SharesOfAStackStayPackedWhereBlocksAllow) {
  const ScratchFolder scratch;
  const fs::path path = scratch.path() / "model.gguf";
  const at::Tensor aligned = randn({12, 256}, 1), crossing = randn({12, 64}, 2);
  write_gguf(path, {packed("qkv", aligned, BlockFormat::q4_k), packed("crossing", crossing, BlockFormat::q4_k)});
  const auto file = open_tensors(path);
  FileSource source(file, stacked);
  const StoredWeight k = source.get_weight("k", {4, 256}, Init::fan_in, 256);
  EXPECT_FALSE(k.plain.defined());
  EXPECT_TRUE(unpack(k.blocks).equal(file->read("qkv").narrow(0, 4, 4)));
  EXPECT_GE(k.blocks.bytes.const_data_ptr<uint8_t>(), file->parts()[0].file->data());
  EXPECT_LT(k.blocks.bytes.const_data_ptr<uint8_t>(), file->parts()[0].file->data() + file->parts()[0].file->size());
  EXPECT_TRUE(source.get("v", {4, 256}, Init::fan_in, 256).equal(file->read("qkv").narrow(0, 8, 4)));

  // Rows of 64 go together in fours, so a sixth of twelve rows cuts a block; a turned matrix is unpacked too.
  const auto rename = [](FileName target) { return [=](const std::string&) { return target; }; };
  FileSource sixth(file, rename({"crossing", 1, 6}));
  EXPECT_TRUE(sixth.get_weight("x", {2, 64}, Init::fan_in, 64).plain.equal(file->read("crossing").narrow(0, 2, 2)));
  FileSource turned(file, rename({"qkv", 0, 1, 1, true}));
  EXPECT_TRUE(turned.get_weight("x", {256, 12}, Init::fan_in, 12).plain.equal(file->read("qkv").t()));
  EXPECT_THROW(source.get_weight("k", {4, 128}, Init::fan_in, 128), Error);
}

TEST(Gguf, APlanFitsLogicalShapes) {
  const ScratchFolder scratch;
  const fs::path path = scratch.path() / "model.gguf";
  write_gguf(path, {packed("conv.weight", randn({8, 32, 3, 3}, 2), BlockFormat::q4_0)});
  const auto plan = record([](const Scope& w) { (w / "conv").tensor("weight", {8, 32, 3, 3}, Init::fan_in, 288); });
  EXPECT_NO_THROW(plan.require_match(*open_tensors(path), "a convolution"));
  const auto other = record([](const Scope& w) { (w / "conv").tensor("weight", {8, 32, 9, 1}, Init::fan_in, 288); });
  EXPECT_THROW(other.require_match(*open_tensors(path), "a convolution"), Error);
}

}  // namespace
}  // namespace keyflow::weights
