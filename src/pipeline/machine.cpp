#include "pipeline/machine.h"

#include <charconv>

#include "core/error.h"
#include "core/memory.h"
#include "pipeline/memory_estimate.h"
#include "pipeline/model.h"

namespace keyflow::pipeline {
namespace {

constexpr int64_t kLeastTile = 128;

}  // namespace

int64_t tile_from_text(const std::string& text) {
  if (text == "auto") return -1;
  if (text == "off") return 0;
  int64_t tile = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), tile);
  require(
      code == std::errc() && end == text.data() + text.size() && tile >= kLeastTile && tile <= 65536 && tile % 16 == 0,
      ErrorKind::usage, "tiling: expected auto, off or a multiple of 16 from ", kLeastTile, ", found \"",
      printable(text), "\"");
  return tile;
}

void fit_to_machine(RenderPlan& plan) {
  RenderSettings& settings = plan.settings;
  const auto set = [&](const char* field, std::string& member, const std::string& value) {
    if (member == "auto") settings.origins[field] = Origin::model;
    member = value;
  };
  plan.compute = settings.dtype == "auto" ? machine_compute() : compute_from_text(settings.dtype);
  set("dtype", settings.dtype, to_text(plan.compute));

  int64_t longest = 0;
  for (const auto& segment : plan.segments) longest = std::max(longest, segment.frames);
  const uint64_t available = available_bytes();
  const auto estimate = [&](int64_t tile) {
    return plan.model->estimate_memory(settings, plan.compute, longest, tile);
  };
  plan.tile = tile_from_text(settings.tiling);
  if (plan.tile < 0) {
    plan.tile = choose_tile(estimate, settings, available);
    if (plan.tile > 0)
      plan.notes.push_back(c10::str("the VAE works in tiles of ", plan.tile, " pixels to fit the memory"));
    set("tiling", settings.tiling, plan.tile == 0 ? "off" : std::to_string(plan.tile));
  }
  plan.estimate = estimate(plan.tile);
  require_memory(plan.estimate, settings, available);
}

}  // namespace keyflow::pipeline
