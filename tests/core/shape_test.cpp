#include "core/shape.h"

#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

namespace keyflow {
namespace {

std::string fault_of(const std::function<void()>& run) {
  try {
    run();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::shape);
    return error.what();
  }
  return "accepted";
}

TEST(Shape, Text) {
  EXPECT_EQ(shape_text({1, 16, 5}), "[1, 16, 5]");
  EXPECT_EQ(shape_text({}), "[]");
}

TEST(Shape, DimsBindsByRank) {
  const auto [B, L, C] = dims<3>(at::zeros({2, 3, 5}), "x");
  EXPECT_EQ(B, 2);
  EXPECT_EQ(L, 3);
  EXPECT_EQ(C, 5);
  EXPECT_EQ(fault_of([] { dims<2>(at::zeros({2, 3, 5}), "x"); }), "shape: x: expected 2 dimensions, found [2, 3, 5]");
}

TEST(Shape, RequireShapeComparesEverySize) {
  const at::Tensor x = at::zeros({2, 3});
  EXPECT_EQ(fault_of([&] { require_shape(x, {2, 3}, "x"); }), "accepted");
  EXPECT_EQ(fault_of([&] { require_shape(x, {-1, 3}, "x"); }), "accepted");
  EXPECT_EQ(fault_of([&] { require_shape(x, {3, 2}, "x"); }), "shape: x: expected [3, 2], found [2, 3]");
  EXPECT_EQ(fault_of([&] { require_shape(x, {2, 3, 1}, "x"); }), "shape: x: expected [2, 3, 1], found [2, 3]");
}

}  // namespace
}  // namespace keyflow
