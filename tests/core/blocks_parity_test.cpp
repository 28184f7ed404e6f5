// Against the gguf package: float32 bits of every format unpacked, bytes of the formats that it packs.
#include <ATen/ops/bitwise_xor.h>

#include "core/quantised/block_pack.h"
#include "tests/tensor_match.h"
#include "weights/tensor_file.h"

namespace keyflow {
namespace {

std::shared_ptr<weights::TensorFile> reference() {
  return weights::open_tensors(KEYFLOW_BINARY_DIR "/reference/blocks/blocks.safetensors");
}

Blocks blocks_of(const weights::TensorFile& file, BlockFormat format) {
  const std::string name(layout_of(format).name);
  return {format, file.read(name + ".blocks").flatten(), file.find(name + ".values")->shape, {}};
}

int64_t different_bits(const at::Tensor& a, const at::Tensor& b) {
  return a.contiguous().view(at::kInt).ne(b.contiguous().view(at::kInt)).sum().item<int64_t>();
}

class BlocksParity : public ::testing::TestWithParam<BlockLayout> {};

TEST_P(BlocksParity, UnpacksTheSameBits) {
  const auto file = reference();
  const Blocks blocks = blocks_of(*file, GetParam().format);
  const at::Tensor expected = file->read(std::string(GetParam().name) + ".values");
  EXPECT_EQ(different_bits(unpack(blocks), expected), 0);
  EXPECT_TRUE(unpack(blocks, at::kBFloat16).equal(expected.to(at::kBFloat16)));
  EXPECT_TRUE(unpack(blocks, at::kHalf).equal(expected.to(at::kHalf)));
}

TEST_P(BlocksParity, UnpacksRowsAndSlicesAlike) {
  const auto file = reference();
  const Blocks blocks = blocks_of(*file, GetParam().format);
  const at::Tensor expected = file->read(std::string(GetParam().name) + ".values");
  EXPECT_TRUE(unpack(blocks.narrow(2, 3)).equal(expected.narrow(0, 2, 3)));
  const at::Tensor ids = at::Tensor(expected.new_empty({2, 2}, at::kLong)).fill_(1);
  ids[1][0] = 6;
  EXPECT_TRUE(unpack_rows_at(blocks, ids)[1][0].equal(expected[6]));
  EXPECT_TRUE(unpack_rows_at(blocks, ids)[0][1].equal(expected[1]));
}

TEST_P(BlocksParity, PacksTheSameBytes) {
  const auto file = reference();
  const std::string name = std::string(GetParam().name) + ".packed";
  if (file->find(name) == nullptr) GTEST_SKIP() << "the package does not pack " << GetParam().name;
  const Blocks packed = pack(file->read("source"), GetParam().format);
  EXPECT_TRUE(packed.bytes.equal(file->read(name).flatten()));
}

INSTANTIATE_TEST_SUITE_P(Formats, BlocksParity, ::testing::ValuesIn(gguf_layouts()),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace keyflow
