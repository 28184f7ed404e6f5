#include "pipeline/memory_estimate.h"

#include <array>
#include <cmath>

#include "core/error.h"

namespace keyflow::pipeline {
namespace {

constexpr std::array<int64_t, 5> kTiles{512, 384, 256, 192, 128};
constexpr double kShare = 0.9;  // of the available bytes: the rest is for the allocator and the writer

std::string readable(uint64_t bytes) {
  const double gib = static_cast<double>(bytes) / (1ull << 30);
  return gib >= 1 ? c10::str(std::round(gib * 10) / 10, " GiB") : c10::str((bytes + (1 << 20) - 1) >> 20, " MiB");
}

}  // namespace

uint64_t MemoryEstimate::largest() const { return std::max({text, image, denoise, decode}); }

int64_t choose_tile(const TileEstimate& estimate, const RenderSettings& settings, uint64_t available) {
  const auto fits = [&](int64_t tile) {
    const MemoryEstimate needed = estimate(tile);
    return static_cast<double>(std::max(needed.decode, needed.image)) < kShare * static_cast<double>(available);
  };
  int64_t tile = 0;
  while (!fits(tile)) {
    const int64_t smaller = next_smaller_tile(tile, settings);
    if (smaller == 0) break;
    tile = smaller;
  }
  return tile;
}

int64_t next_smaller_tile(int64_t tile, const RenderSettings& settings) {
  const int64_t bound = tile > 0 ? tile : std::max(settings.width, settings.height);
  const auto found = std::find_if(kTiles.begin(), kTiles.end(), [&](int64_t candidate) { return candidate < bound; });
  return found == kTiles.end() ? 0 : *found;
}

void require_memory(const MemoryEstimate& estimate, const RenderSettings& settings, uint64_t available) {
  if (static_cast<double>(estimate.largest()) <= static_cast<double>(available)) return;
  constexpr uint64_t beyond_machines = 1ull << 41;
  const ErrorKind kind = estimate.largest() > beyond_machines ? ErrorKind::usage : ErrorKind::device;
  const bool long_video = settings.frames > 1 && estimate.denoise == estimate.largest();
  // Memory grows about in proportion to the frame's area and, while denoising, to the number of latent frames.
  const double scale = std::sqrt(static_cast<double>(available) / static_cast<double>(estimate.largest()));
  const auto side = [&](int64_t pixels) {
    return std::max<int64_t>(static_cast<int64_t>(static_cast<double>(pixels) * scale * 0.9) / 16, 1) * 16;
  };
  fail(kind, settings.width, "x", settings.height, " and ", settings.frames, " frames need about ",
       readable(estimate.largest()), " of memory, available are ", readable(available),
       "; hint: ", side(settings.width), "x", side(settings.height), long_video ? ", or fewer frames" : "");
}

}  // namespace keyflow::pipeline
