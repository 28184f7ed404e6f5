#include "core/quantised/blocks.h"

#include <ATen/Parallel.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include "core/quantised/block_pack.h"
#include "core/random.h"
#include "tests/tensor_match.h"

namespace keyflow {
namespace {

double rms(const at::Tensor& x) { return x.to(at::kDouble).square().mean().sqrt().item<double>(); }

/// The root mean square error of a normal distribution packed and unpacked, and the largest error, as shares of its own
/// root mean square. The bounds are docs/numerical-contract.md's.
struct Bound {
  const char* name;
  double rms, largest;
};
class PackedError : public ::testing::TestWithParam<Bound> {};

TEST_P(PackedError, StaysWithinItsBound) {
  const auto& [name, most_rms, most] = GetParam();
  const at::Tensor x = randn({64, 1024}, 3) * 0.02;
  const at::Tensor error = unpack(pack(x, *block_format_from_name(name))) - x;
  EXPECT_LE(rms(error) / rms(x), most_rms);
  EXPECT_GE(rms(error) / rms(x), most_rms / 2) << "the bound says nothing";
  EXPECT_LE(error.abs().max().item<double>() / rms(x), most);
}

INSTANTIATE_TEST_SUITE_P(Formats, PackedError,
                         ::testing::Values(Bound{"q8_0", 0.007, 0.03}, Bound{"q6_k", 0.025, 0.12},
                                           Bound{"q5_1", 0.045, 0.15}, Bound{"q5_0", 0.05, 0.3},
                                           Bound{"q5_k", 0.045, 0.2}, Bound{"q4_1", 0.09, 0.3}, Bound{"q4_0", 0.1, 0.6},
                                           Bound{"q4_k", 0.09, 0.4}, Bound{"q3_k", 0.2, 1.2}, Bound{"q2_k", 0.4, 2}),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(Pack, KeepsWhatTheFormatHolds) {
  for (const auto& layout : gguf_layouts()) {
    const at::Tensor zeros = at::zeros({2, 256});
    EXPECT_TRUE(unpack(pack(zeros, layout.format)).equal(zeros)) << layout.name;
    // Whatever was unpacked once lies on the grid: packing it again costs at most a rounding of the scales.
    const at::Tensor x = randn({4, 256}, 1), once = unpack(pack(x, layout.format));
    EXPECT_LT(rms(unpack(pack(once, layout.format)) - once), 0.5 * rms(once - x) + 1e-3) << layout.name;
  }
}

TEST(Pack, HoldsAtTheEdges) {
  for (const auto& layout : gguf_layouts()) {
    for (const double size : {1e-7, 65504.0}) {
      const at::Tensor x = randn({1, 256}, 2).clamp(-1, 1) * size, back = unpack(pack(x, layout.format));
      EXPECT_TRUE(back.isfinite().all().item<bool>()) << layout.name << " " << size;
      if (size > 1) EXPECT_LT(rms(back - x) / rms(x), 0.5) << layout.name;
    }
    const at::Tensor positive = randn({1, 256}, 4).abs() + 1;
    EXPECT_LT(rms(unpack(pack(positive, layout.format)) - positive) / rms(positive), 0.3) << layout.name;
    const at::Tensor empty = at::zeros({0, 256});
    EXPECT_EQ(unpack(pack(empty, layout.format)).sizes(), empty.sizes());
  }
  EXPECT_THROW(pack(at::zeros({3, 31}), BlockFormat::q8_0), Error);
}

TEST(Pack, DoesNotDependOnThreads) {
  const at::Tensor x = randn({300, 512}, 5);
  const int threads = at::get_num_threads();
  for (const auto format : {BlockFormat::q8_0, BlockFormat::q4_k}) {
    at::set_num_threads(1);
    const Blocks one = pack(x, format);
    const at::Tensor values = unpack(one);
    at::set_num_threads(2);
    EXPECT_TRUE(pack(x, format).bytes.equal(one.bytes));
    EXPECT_TRUE(unpack(one).equal(values));
  }
  at::set_num_threads(threads);
}

TEST(Blocks, RowsThatShareABlockGoTogether) {
  const at::Tensor x = randn({8, 96}, 1);
  const Blocks blocks = pack(x, BlockFormat::q4_k);  // three blocks of 256 for eight rows of 96
  EXPECT_EQ(blocks.row_step(), 8);
  EXPECT_THROW(blocks.narrow(0, 4), Error);
  const at::Tensor values = unpack(blocks), ids = at::arange(8, at::kLong);
  EXPECT_TRUE(unpack_rows_at(blocks, ids).equal(values));
  EXPECT_EQ(pack(x, BlockFormat::q8_0).row_step(), 1);
  EXPECT_EQ(pack(randn({8, 48}, 1), BlockFormat::q8_0).row_step(), 2);
  EXPECT_THROW(unpack_rows_at(blocks, at::tensor({8}, at::kLong)), Error);
}

TEST(Blocks, EveryEightBitFloatIsThatOfLibtorch) {
  const at::Tensor bytes = at::arange(256, at::kInt).to(at::kByte);
  for (const auto type : {at::kFloat8_e4m3fn, at::kFloat8_e5m2}) {
    const at::Tensor expected = bytes.view(type).to(at::kFloat);
    const Blocks blocks{block_format_of(type), bytes, {16, 16}, {}};
    const at::Tensor found = unpack(blocks).flatten(), number = expected.isnan().logical_not();
    EXPECT_TRUE(found.isnan().equal(expected.isnan()));
    EXPECT_TRUE(found.masked_select(number).equal(expected.masked_select(number)));
  }
}

TEST(Blocks, ScalesMultiplyTheWholeOrEachRow) {
  const at::Tensor bytes = at::arange(32, 64, at::kInt).to(at::kByte);
  const at::Tensor plain = bytes.view(at::kFloat8_e4m3fn).to(at::kFloat).view({4, 8});
  Blocks blocks{BlockFormat::f8_e4m3, bytes, {4, 8}, at::tensor({3.F})};
  EXPECT_TRUE(unpack(blocks).equal(plain * 3));
  blocks.scale = at::tensor({1.F, 2.F, 0.5F, -4.F});
  EXPECT_TRUE(unpack(blocks).equal(plain * blocks.scale.unsqueeze(1)));
  EXPECT_TRUE(unpack(blocks.narrow(2, 2)).equal((plain * blocks.scale.unsqueeze(1)).narrow(0, 2, 2)));
}

}  // namespace
}  // namespace keyflow
