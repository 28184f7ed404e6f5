#include "pipeline/image_phase.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/zeros.h>

#include "media/resize.h"
#include "pipeline/init_image.h"
#include "pipeline/keyframes.h"
#include "pipeline/picture_tokens.h"
#include "pipeline/precision.h"

namespace keyflow::pipeline {
namespace {

/// The picture that gave the video its aspect.
const at::Tensor& first_picture(const RenderPlan& plan) {
  return plan.pictures.at(plan.settings.keyframes.front().picture);
}

/// The pictures of a segment, by frame; `continued` stands at frame 0 of a segment that goes on from another.
std::map<int64_t, at::Tensor> pictures_of(const RenderPlan& plan, const Segment& segment, const at::Tensor& continued) {
  std::map<int64_t, at::Tensor> pictures;  // [3, H, W] uint8
  if (segment.continues) pictures[0] = media::to_uint8(continued, media::Quantize::nearest);
  for (const auto& keyframe : segment.keyframes) pictures[keyframe.frame] = plan.pictures.at(keyframe.picture);
  return pictures;
}

/// The same as frames of the video.
GivenFrames given_frames(const RenderPlan& plan, const Segment& segment, const at::Tensor& continued) {
  GivenFrames frames;
  if (segment.continues && continued.defined()) frames[0] = continued;
  for (const auto& keyframe : segment.keyframes) {
    frames[keyframe.frame] = fit_keyframe(plan.pictures.at(keyframe.picture), first_picture(plan), plan.settings);
  }
  return frames;
}

at::Tensor tokens_of(const PictureEncoder& encoder, const RenderPlan& plan,
                     const std::map<int64_t, at::Tensor>& pictures) {
  const PictureSlots& slots = plan.model->facts().pictures;
  std::vector<int64_t> frames;
  std::vector<at::Tensor> list, tokens;
  for (const auto& [frame, rgb] : pictures) {
    frames.push_back(frame);
    list.push_back(rgb);
  }
  for (const int64_t index : slots_of(frames, slots.count)) {
    if (index < 0) {
      tokens.push_back(at::zeros({1, slots.tokens, slots.channels}, at::kFloat));
      continue;
    }
    const at::Tensor& rgb = list[static_cast<size_t>(index)];
    tokens.push_back(encoder(vision_input(rgb, first_picture(plan), slots.edge, plan.settings)));
    require_finite(tokens.back(), "image");
  }
  return at::cat(tokens, 1).to(at::kFloat);  // [1, K, E]
}

}  // namespace

std::vector<ColourTarget> colour_targets(const RenderPlan& plan, const Segment& segment) {
  std::vector<ColourTarget> targets;
  if (!plan.settings.color_match) return targets;
  for (const auto& [frame, picture] : given_frames(plan, segment, {})) targets.push_back(colour_target(frame, picture));
  return targets;
}

std::vector<Conditioning> encode_pictures(const RenderPlan& plan, size_t first, size_t last,
                                          const at::Tensor& continued, PhaseClock& clock) {
  const Model& model = *plan.model;
  const ModelFacts& facts = model.facts();
  std::vector<Conditioning> conditions(last - first);
  const auto segment = [&](size_t i) -> const Segment& { return plan.segments[first + i]; };
  const auto has_pictures = [&](size_t i) { return !segment(i).keyframes.empty() || segment(i).continues; };
  const int64_t frames = plan.settings.frames;

  if (facts.pictures.count > 0) {
    bool needed = false;
    for (size_t i = 0; i < conditions.size(); ++i) needed |= has_pictures(i);
    const auto run = [&](const Compute& compute) {
      clock.start(Phase::load, 1);
      const PictureEncoder encoder = model.load_picture_encoder(compute);
      clock.start(Phase::image, frames, segment(0).start);
      for (size_t i = 0; i < conditions.size(); ++i) {
        conditions[i].pictures = tokens_of(encoder, plan, pictures_of(plan, segment(i), continued));
      }
    };
    if (needed) {
      const Network& network = model.network(models::Part::image_encoder);
      with_fallback(plan.compute, network, "image", clock.observer(), "picture encoder", run);
      release_pages(network);
    } else {
      const int64_t tokens = facts.pictures.count * facts.pictures.tokens;
      for (auto& condition : conditions) {
        condition.pictures = at::zeros({1, tokens, facts.pictures.channels}, at::kFloat);
      }
    }
  }
  clock.throw_if_stopped();
  if (!facts.takes_keyframes && !needs_init_image(plan)) return conditions;
  const Network& vae = model.network(models::Part::vae);
  with_fallback(plan.compute, vae, "image", clock.observer(), "VAE encoder", [&](const Compute& compute) {
    clock.start(Phase::load, 1);
    const std::unique_ptr<Codec> codec = model.load_codec(compute);
    clock.start(Phase::image, frames, segment(0).start);
    for (size_t i = 0; i < conditions.size(); ++i) {
      const auto progress = [&](int64_t done) {
        clock.advance(segment(i).start + done);
        clock.throw_if_stopped();
      };
      if (facts.takes_keyframes) {
        conditions[i].channels = condition_latents(*codec, facts, given_frames(plan, segment(i), continued),
                                                   segment(i).frames, plan.settings, plan.tile, progress);
      }
      if (needs_init_image(plan)) {
        add_init_image(conditions[i], plan, *codec, plan.settings.seed + first + i);
        progress(1);
      }
    }
  });
  release_pages(vae);
  return conditions;
}

}  // namespace keyflow::pipeline
