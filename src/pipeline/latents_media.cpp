#include <ATen/ops/stack.h>
#include <c10/core/InferenceMode.h>

#include <nlohmann/json.hpp>

#include "core/json.h"
#include "core/shape.h"
#include "media/output.h"
#include "media/picture.h"
#include "media/resize.h"
#include "media/video_reader.h"
#include "pipeline/decode_phase.h"
#include "pipeline/frame_size.h"
#include "pipeline/latents_file.h"
#include "pipeline/machine.h"
#include "pipeline/model.h"
#include "pipeline/precision.h"

// `keyflow encode` and `keyflow decode`: the VAE alone.
namespace keyflow::pipeline {
namespace {

namespace fs = std::filesystem;

/// [T, 3, H, W] uint8. A file that holds several frames is a video, whatever its name.
at::Tensor read_frames(const std::vector<fs::path>& inputs) {
  require(!inputs.empty(), ErrorKind::usage, "encode: expected pictures or a video, found none");
  if (inputs.size() == 1) {
    try {
      const media::Picture picture = media::read_picture(inputs[0]);
      if (picture.note.empty()) return picture.rgb.unsqueeze(0);
    } catch (const Error&) {
      // No picture: the video reader's message then says what the file is.
    }
    return media::read_video(inputs[0]).frames;
  }
  std::vector<at::Tensor> frames;
  for (const auto& path : inputs) {
    frames.push_back(media::read_picture(path).rgb);
    require(frames.back().sizes() == frames.front().sizes(), ErrorKind::usage, printable(path.string(), 400),
            ": expected the size of the first picture, ", frames.front().size(2), "x", frames.front().size(1),
            ", found ", frames.back().size(2), "x", frames.back().size(1));
  }
  return at::stack(frames);
}

void check_size(RenderSettings& settings, const at::Tensor& frames, int64_t stride) {
  if (settings.width <= 0) settings.width = frames.size(3);
  if (settings.height <= 0) settings.height = frames.size(2);
  for (const auto& [name, value] : {std::pair{"width", settings.width}, std::pair{"height", settings.height}}) {
    require(value % stride == 0, ErrorKind::usage, name, " ", value, ": expected a multiple of ", stride,
            "; nearest: ", nearest_two(value, stride, 0));
  }
  require(frames.size(0) % 4 == 1, ErrorKind::usage, "encode: expected 4n + 1 frames, found ", frames.size(0),
          "; nearest: ", nearest_two(frames.size(0), 4, 1));
}

RenderPlan vae_plan(const RenderSettings& settings) {
  RenderPlan plan;
  plan.settings = settings;
  plan.model = open_model(settings, Need::vae);
  return plan;
}

/// Size, length and segments of what the latents will be decoded to.
void measure(RenderPlan& plan, const LatentsFile& latents, const fs::path& path) {
  const ModelFacts& facts = plan.model->facts();
  int64_t start = 0;
  for (const auto& segment : latents.segments) {
    const auto [B, Z, T, H, W] = dims<5>(segment, "latents");
    require(Z == facts.latent_channels, ErrorKind::config, printable(path.string(), 400), ": latents of ", Z,
            " channels, but the VAE has ", facts.latent_channels, "; hint: the VAE they were made for, by --vae");
    const int64_t width = W * facts.stride, height = H * facts.stride;
    require(plan.segments.empty() || (width == plan.settings.width && height == plan.settings.height),
            ErrorKind::weights, printable(path.string(), 400), ": segments of different size");
    plan.settings.width = width;
    plan.settings.height = height;
    plan.segments.push_back({start, 4 * (T - 1) + 1, {}, false});
    start += 4 * (T - 1);
  }
  plan.settings.frames = start + 1;
}

/// Frame rate, quality and arithmetic that the latents were made for, unless the user says otherwise.
void take_over(RenderSettings& settings, const std::string& text, const fs::path& path) {
  if (!text.empty()) {
    const std::string where = printable(path.string(), 400) + ": settings";
    const nlohmann::json stored = parse_json(text, where);
    const auto found = stored.is_object() ? stored.find("settings") : stored.end();
    require(stored.is_object() && found != stored.end() && found->is_object(), ErrorKind::config, where,
            ": expected an object with \"settings\"");
    nlohmann::json kept = nlohmann::json::object();
    for (const char* key : {"fps", "crf", "dtype", "tiling"}) {
      if (found->contains(key)) kept[key] = found->at(key);
    }
    apply_json(settings, kept, Origin::metadata, where);
  }
  if (settings.fps <= 0) settings.fps = 16;
}

}  // namespace

RenderResult encode_media(const RenderSettings& settings, const std::vector<fs::path>& inputs, const fs::path& output,
                          Observer& observer) {
  const c10::InferenceMode no_gradients;
  require_writable(output);
  RenderPlan plan = vae_plan(settings);
  const at::Tensor frames = read_frames(inputs);
  check_size(plan.settings, frames, plan.model->facts().stride);
  plan.settings.frames = frames.size(0);
  plan.segments = {{0, frames.size(0), {}, false}};
  fit_to_machine(plan);

  PhaseClock clock(observer);
  const auto source = [&](int64_t start, int64_t count) {
    clock.throw_if_stopped();
    std::vector<at::Tensor> chunk;
    for (int64_t t = start; t < start + count; ++t) {
      chunk.push_back(media::cover_crop(frames[t], plan.settings.height, plan.settings.width));
    }
    clock.advance(start + count);
    return at::stack(chunk, 1).unsqueeze(0);  // [1, 3, T, H, W]
  };
  const at::Tensor latents = with_fallback(plan.compute, plan.model->network(models::Part::vae), "encode", observer, "",
                                           [&](const Compute& compute) {
                                             clock.start(Phase::load, 1);
                                             const std::unique_ptr<Codec> codec = plan.model->load_codec(compute);
                                             clock.start(Phase::image, frames.size(0));
                                             at::Tensor encoded = codec->encode(frames.size(0), source, plan.tile);
                                             require_finite(encoded, "encode");
                                             return encoded;
                                           });
  clock.start(Phase::write, 1);
  save_latents(output, {{latents}, ""});
  clock.advance(1);
  clock.stop();
  RenderResult result;
  result.outputs = {output};
  result.costs = clock.costs();
  return result;
}

RenderResult decode_latents(const RenderSettings& settings, const fs::path& latents, const OutputOptions& output,
                            Observer& observer) {
  const c10::InferenceMode no_gradients;
  const LatentsFile stored = load_latents(latents);
  RenderPlan plan = vae_plan(settings);
  take_over(plan.settings, stored.settings, latents);
  measure(plan, stored, latents);
  media::require_output(output.path, plan.settings.frames, plan.settings.crf);
  fit_to_machine(plan);

  PhaseClock clock(observer);
  std::optional<FrameWriter> writer;
  const std::vector<std::vector<ColourTarget>> no_colours(plan.segments.size());
  with_fallback(plan.compute, plan.model->network(models::Part::vae), "decode", observer, "",
                [&](const Compute& compute) {
                  writer.emplace(output.path, plan, stored.settings);
                  decode_segments(plan, compute, 0, plan.segments.size(), stored.segments, no_colours, *writer, clock);
                });
  clock.start(Phase::write, 1);
  writer->finish();
  clock.advance(1);
  clock.stop();
  RenderResult result;
  result.outputs = writer->outputs();
  result.constant_picture = writer->constant();
  if (result.constant_picture) observer.warning("every pixel of the output has the same colour");
  for (const auto& note : writer->notes()) observer.note(note);
  result.costs = clock.costs();
  return result;
}

}  // namespace keyflow::pipeline
