#include "weights/shape_finder.h"

#include <gtest/gtest.h>

#include "core/error.h"

namespace keyflow::weights {
namespace {

const std::vector<TensorInfo> kTensors{{"net.b.0.q", at::kFloat, {4, 3}},
                                       {"net.b.1.k", at::kFloat, {4}},
                                       {"net.b.3.q", at::kFloat, {4}},
                                       {"net.out", at::kFloat, {2, 3}}};

ShapeFinder finder() {
  return {kTensors, [](const std::string& name) { return FileName{"net." + name}; }, "tiny"};
}

TEST(ShapeFinder, FindsShapesByTheModelsNames) {
  const ShapeFinder shapes = finder();
  EXPECT_EQ(shapes.get("out", 2), (std::vector<int64_t>{2, 3}));
  EXPECT_TRUE(shapes.has("b.0.q"));
  EXPECT_FALSE(shapes.has("net.out"));
}

TEST(ShapeFinder, SaysWhatItMissesByTheFilesName) {
  const auto message = [](const std::string& name, size_t rank) -> std::string {
    try {
      finder().get(name, rank);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::weights);
      return error.what();
    }
    return "";
  };
  EXPECT_NE(message("in", 2).find("tiny: expected a tensor net.in of 2 dimensions, found none"), std::string::npos);
  EXPECT_NE(message("out", 1).find("net.out of 1 dimensions, found [2, 3]"), std::string::npos);
}

TEST(ShapeFinder, CountsBlocksOfWhichAnyWeightIsThere) {
  EXPECT_EQ(finder().count_blocks("b", {"q", "k"}), 2);
  EXPECT_EQ(finder().count_blocks("b", {"q"}), 1);
  EXPECT_EQ(finder().count_blocks("c", {"q"}), 0);
}

}  // namespace
}  // namespace keyflow::weights
