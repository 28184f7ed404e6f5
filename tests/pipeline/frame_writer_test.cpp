#include "pipeline/frame_writer.h"

#include <ATen/ops/full.h>
#include <gtest/gtest.h>

#include "tests/pipeline/tiny_models.h"

namespace keyflow::pipeline {
namespace {

RenderPlan plan_of(int64_t frames, const std::vector<Segment>& segments) {
  RenderPlan plan;
  plan.settings.width = 4;
  plan.settings.height = 2;
  plan.settings.frames = frames;
  plan.settings.fps = 8;
  plan.segments = segments;
  return plan;
}

/// Frames of one grey each, as the VAE hands them out.
at::Tensor video(const std::vector<double>& greys) {
  at::Tensor frames = at::full({1, 3, static_cast<int64_t>(greys.size()), 2, 4}, 0.0, at::kFloat);
  for (size_t t = 0; t < greys.size(); ++t) frames.select(2, static_cast<int64_t>(t)).fill_(greys[t]);
  return frames;
}

std::vector<int64_t> greys_of(const FrameWriter& writer) {
  RenderResult result;
  result.outputs = writer.outputs();
  const at::Tensor frames = read_frames(result);
  std::vector<int64_t> greys;
  for (int64_t t = 0; t < frames.size(0); ++t) greys.push_back(frames[t][0][0][0].item<uint8_t>());
  return greys;
}

// The border frame is written once, as the mean of what both segments made of it.
TEST(FrameWriter, SegmentsShareTheirBorderFrame) {
  const TemporaryFolder folder;
  const RenderPlan plan = plan_of(9, {{0, 5, {}, false}, {4, 5, {}, true}});
  FrameWriter writer(folder / "%d.png", plan, "");
  writer.begin_segment(0, {});
  writer.write(video({-1}));
  writer.write(video({-0.8, -0.61, -0.4, 0}));
  writer.begin_segment(1, {});
  EXPECT_EQ(writer.last_frame().mean().item<float>(), 0);
  writer.write(video({0.2}));
  writer.write(video({0.4, 0.61, 0.8, 1}));
  writer.finish();
  EXPECT_EQ(writer.frames_written(), 9);
  EXPECT_EQ(greys_of(writer), (std::vector<int64_t>{0, 25, 49, 76, 140, 178, 205, 229, 255}));
  EXPECT_FALSE(writer.constant());
}

// Videos cut fractions off, still pictures round, as both programs do.
TEST(FrameWriter, RoundsStillPicturesOnly) {
  const TemporaryFolder folder;
  const RenderPlan still = plan_of(1, {{0, 1, {}, false}});
  FrameWriter writer(folder / "a%d.png", still, "");
  writer.begin_segment(0, {});
  writer.write(video({0.4}));
  writer.finish();
  EXPECT_EQ(greys_of(writer), (std::vector<int64_t>{179}));
  EXPECT_TRUE(writer.constant());
}

TEST(FrameWriter, WithoutAPathOnlyTheLastFrameIsKept) {
  const RenderPlan plan = plan_of(9, {{0, 5, {}, false}, {4, 5, {}, true}});
  FrameWriter writer("", plan, "");
  writer.begin_segment(0, {});
  writer.write(video({0, 0, 0, 0, 0.5}));
  writer.finish();
  EXPECT_EQ(writer.last_frame().mean().item<float>(), 0.5f);
  EXPECT_TRUE(writer.outputs().empty());
}

}  // namespace
}  // namespace keyflow::pipeline
