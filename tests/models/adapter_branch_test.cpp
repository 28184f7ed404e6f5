#include <ATen/ops/full.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include "core/random.h"
#include "models/layers/conv.h"
#include "tests/models/held_source.h"
#include "tests/tensor_match.h"
#include "weights/overlay.h"

namespace keyflow::layers {
namespace {

using tests::HeldSource;
using weights::Adapter;
using weights::LoraMode;
using weights::Overlay;
using weights::OverlaySource;
using weights::Scope;

constexpr int64_t kIn = 12, kOut = 30;

/// Adapters of a layer with `size` entries in its kernel; ranks low and too high to be written out.
std::vector<Adapter> every_kind(at::IntArrayRef kernel) {
  const auto with_kernel = [&](int64_t rows, int64_t columns, uint64_t seed) {
    std::vector<int64_t> shape{rows, columns};
    shape.insert(shape.end(), kernel.begin(), kernel.end());
    return 0.3 * randn(shape, seed);
  };
  std::vector<Adapter> all;
  const auto add = [&]() -> Adapter& {
    all.emplace_back();
    all.back().scale = 0.7;
    return all.back();
  };
  add().first = {randn({kOut, 3}, 1), with_kernel(3, kIn, 2)};
  for (const int64_t rank : {1, 9}) {
    Adapter& hadamard = add();
    hadamard.first = {randn({kOut, rank}, 3), with_kernel(rank, kIn, 4)};
    hadamard.second = {randn({kOut, rank}, 5), with_kernel(rank, kIn, 6)};
  }
  for (const bool low_rank : {false, true}) {
    Adapter& kronecker = add();
    kronecker.left = randn({6, 4}, 7);
    kronecker.first.up = low_rank ? randn({5, 2}, 8) : with_kernel(5, 3, 8);
    if (low_rank) kronecker.first.down = with_kernel(2, 3, 9);
  }
  add().first = {with_kernel(kOut, kIn, 10), {}};
  Adapter whole;
  whole.left = randn({8, 4}, 11);
  whole.first = {with_kernel(5, 3, 12), {}};
  all.push_back(rows_of(whole, 7, kOut));
  return all;
}

template <class Make>
void expect_beside_equals_merged(const Make& make, at::IntArrayRef kernel, const at::Tensor& x,
                                 const Compute& compute = {}, double tolerance = 1e-6) {
  HeldSource held([&](const Scope& w) { make(w / "layer"); });
  auto adapters = every_kind(kernel);
  std::vector<std::vector<Adapter>> sets{adapters};
  for (const auto& adapter : adapters) sets.push_back({adapter});
  for (const auto& set : sets) {
    Overlay beside, merging(LoraMode::merged);
    for (const auto& adapter : set) {
      beside.add("layer.weight", adapter);
      merging.add("layer.weight", adapter);
    }
    OverlaySource first(held, beside), second(held, merging);
    const at::Tensor plain = make(Scope(held, {}) / "layer")(x);
    const at::Tensor expected = make(Scope(second, {}) / "layer")(x);
    EXPECT_TRUE(tests::near(make(Scope(first, compute) / "layer")(x), expected, tolerance));
    EXPECT_FALSE(tests::near(expected, plain, 1e-2));
  }
}

TEST(AdapterBranch, LinearEqualsMergedWeights) {
  const auto make = [](const Scope& w) { return Linear(w, kIn, kOut); };
  const c10::InferenceMode guard;
  expect_beside_equals_merged(make, {}, randn({2, 5, kIn}, 20));
  expect_beside_equals_merged(make, {}, randn({3, kIn}, 20));
  const Compute half{at::kBFloat16, at::kBFloat16, at::kBFloat16, at::kFloat};
  expect_beside_equals_merged(make, {}, randn({2, 5, kIn}, 20), half, 3e-2);
}

TEST(AdapterBranch, PointwiseEqualsMergedWeights) {
  const c10::InferenceMode guard;
  expect_beside_equals_merged([](const Scope& w) { return Linear::pointwise(w, kIn, kOut); }, {1, 1},
                              randn({2, 5, kIn}, 20));
}

TEST(AdapterBranch, ConvolutionEqualsMergedWeights) {
  const c10::InferenceMode guard;
  for (const int64_t kernel : {1, 3}) {
    for (const int64_t stride : {1, 2}) {
      const Conv2dOptions options{.kernel = kernel, .stride = stride, .padding = kernel / 2};
      expect_beside_equals_merged([&](const Scope& w) { return Conv2d(w, kIn, kOut, options); }, {kernel, kernel},
                                  randn({2, kIn, 7, 9}, 21));
    }
  }
}

TEST(AdapterBranch, GradientsPass) {
  const auto make = [](const Scope& w) { return Linear(w, kIn, kOut); };
  HeldSource held([&](const Scope& w) { make(w / "layer"); });
  Overlay beside, merging(LoraMode::merged);
  for (const auto& adapter : every_kind({})) {
    beside.add("layer.weight", adapter);
    merging.add("layer.weight", adapter);
  }
  OverlaySource first(held, beside), second(held, merging);
  const auto gradient = [&](OverlaySource& source) {
    const at::Tensor x = randn({4, kIn}, 22).requires_grad_();
    make(Scope(source, {}) / "layer")(x).square().sum().backward();
    return x.grad();
  };
  EXPECT_TRUE(tests::near(gradient(first), gradient(second), 1e-5));
}

}  // namespace
}  // namespace keyflow::layers
