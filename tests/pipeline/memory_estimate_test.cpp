#include "pipeline/memory_estimate.h"

#include <gtest/gtest.h>

#include "pipeline/families/wan_memory.h"
#include "tests/pipeline/tiny_models.h"

namespace keyflow::pipeline {
namespace {

constexpr double kGiB = 1ull << 30;

/// Wan2.1-T2V-1.3B by its sizes, without files.
MemoryEstimate estimate(const RenderSettings& settings, int64_t longest, int64_t tile) {
  return estimate_wan_memory({}, {}, {}, settings, Compute{}, longest, tile);
}

RenderSettings sized(int64_t width, int64_t height, int64_t frames) {
  RenderSettings settings;
  settings.width = width;
  settings.height = height;
  settings.frames = frames;
  return settings;
}

TEST(MemoryEstimate, LiesAboveTheKnownPeaks) {
  const RenderSettings settings = sized(832, 480, 81);
  const MemoryEstimate exact = estimate(settings, 81, 0);
  // Wan-1.3B and the Wan VAE at 480p in float32: feature caches alone 3.78e9 bytes, the token stream 2.0e8.
  EXPECT_GT(static_cast<double>(exact.decode), 3.8e9);
  EXPECT_LT(static_cast<double>(exact.decode) / kGiB, 14);
  EXPECT_GT(static_cast<double>(exact.denoise), 1.0e9);
  EXPECT_LT(static_cast<double>(exact.denoise) / kGiB, 6);
  EXPECT_EQ(exact.largest(), std::max(exact.decode, exact.denoise));
}

TEST(MemoryEstimate, GrowsWithTheFrameAndTheLatents) {
  const auto of = [](int64_t width, int64_t height, int64_t frames) {
    return estimate(sized(width, height, frames), frames, 0);
  };
  EXPECT_GT(of(1280, 720, 81).decode, of(832, 480, 81).decode);
  EXPECT_EQ(of(832, 480, 81).decode, of(832, 480, 17).decode);
  EXPECT_GT(of(832, 480, 81).denoise, of(832, 480, 17).denoise);
}

TEST(MemoryEstimate, TilesAreTheLargestThatFit) {
  const RenderSettings settings = sized(1280, 720, 81);
  const TileEstimate with_tiles = [&](int64_t tile) { return estimate(settings, 81, tile); };
  EXPECT_EQ(choose_tile(with_tiles, settings, 64ull << 30), 0);
  const int64_t tile = choose_tile(with_tiles, settings, 8ull << 30);
  ASSERT_GT(tile, 0);
  const auto fits = [&](int64_t size) { return static_cast<double>(with_tiles(size).decode) < 0.9 * 8 * kGiB; };
  EXPECT_TRUE(fits(tile));
  EXPECT_EQ(choose_tile(with_tiles, settings, 1ull << 20), 128);
}

TEST(MemoryEstimate, SmallerTilesEnd) {
  const RenderSettings settings = sized(832, 480, 81);
  std::vector<int64_t> tiles;
  for (int64_t tile = next_smaller_tile(0, settings); tile > 0; tile = next_smaller_tile(tile, settings))
    tiles.push_back(tile);
  EXPECT_EQ(tiles, (std::vector<int64_t>{512, 384, 256, 192, 128}));
  EXPECT_EQ(next_smaller_tile(0, sized(128, 128, 17)), 0);
}

// E03 and A06: both numbers and something smaller that fits; exit code 2 only where no machine would do.
TEST(MemoryEstimate, TooLittleIsExplained) {
  const RenderSettings settings = sized(832, 480, 81);
  const MemoryEstimate needed = estimate(settings, 81, 0);
  const Failure failure = failure_of([&] { require_memory(needed, settings, 1ull << 30); });
  EXPECT_EQ(failure.kind, ErrorKind::device);
  EXPECT_TRUE(failure.holds({"832x480", "81 frames", "GiB", "available are 1 GiB", "hint: "})) << failure.message;
  MemoryEstimate absurd;
  absurd.denoise = 1ull << 50;
  EXPECT_EQ(failure_of([&] { require_memory(absurd, settings, 1ull << 40); }).kind, ErrorKind::usage);
  require_memory(needed, settings, needed.largest());
}

}  // namespace
}  // namespace keyflow::pipeline
