#include "pipeline/render.h"

#include <c10/core/InferenceMode.h>

#include "core/files.h"
#include "core/interrupt.h"
#include "core/memory.h"
#include "media/output.h"
#include "pipeline/control_pictures.h"
#include "pipeline/decode_phase.h"
#include "pipeline/denoise_phase.h"
#include "pipeline/image_phase.h"
#include "pipeline/latents_file.h"
#include "pipeline/memory_estimate.h"
#include "pipeline/metadata.h"
#include "pipeline/model.h"
#include "pipeline/precision.h"
#include "pipeline/upscaler.h"

namespace keyflow::pipeline {
namespace {

namespace fs = std::filesystem;

bool is_latents(const fs::path& path) { return path.extension() == ".safetensors"; }

/// Where everything goes, complete and writable before any work.
OutputOptions checked(OutputOptions output, const RenderSettings& settings) {
  const auto beside = [&](const char* ending) { return fs::path(output.path.string() + ending); };
  if (is_latents(output.path)) {
    output.latents = output.path;
    output.keep_latents = true;
  } else {
    media::require_output(output.path, settings.frames, settings.crf);
    if (output.latents.empty()) output.latents = beside(".latents.safetensors");
  }
  if (output.state.empty()) output.state = beside(".state.safetensors");
  require_writable(output.latents);
  require_writable(output.state);
  return output;
}

/// One render under way.
class Run {
 public:
  Run(const RenderPlan& plan, const OutputOptions& output, Observer& observer)
      : plan_(plan),
        output_(checked(output, plan.settings)),
        clock_(observer),
        metadata_(metadata_text(plan)),
        decode_compute_(plan.compute) {
    for (const auto& segment : plan_.segments) colours_.push_back(colour_targets(plan_, segment));
  }

  RenderResult operator()() {
    if (output_.resume) restore();
    for (size_t first = 0; first < plan_.segments.size();) {
      const size_t last = group_end(first);
      render_group(first, last);
      decode_group(first, last);
      first = last;
    }
    return finish();
  }

 private:
  Observer& observer() { return clock_.observer(); }
  const Network& vae() const {
    const bool is_tiny = plan_.settings.decoder == "tiny";
    return plan_.model->network(is_tiny ? models::Part::tiny_vae : models::Part::vae);
  }

  /// Segments that need no decoded frame of an earlier one are conditioned and denoised together.
  size_t group_end(size_t first) const {
    size_t last = first + 1;
    while (last < plan_.segments.size() && !plan_.segments[last].continues) ++last;
    return last;
  }

  void restore() {
    if (fs::exists(output_.latents)) {
      LatentsFile saved = load_latents(output_.latents);
      if (saved.settings == metadata_) latents_ = std::move(saved.segments);
    }
    if (latents_.size() == plan_.segments.size()) return;
    auto saved = load_run(output_.state, metadata_);
    if (!saved) return;
    latents_ = std::move(saved->finished);
    sampler_ = std::move(saved->sampler);
    observer().note(c10::str("continues after step ", sampler_->step, " of ", plan_.settings.steps));
  }

  /// The text encoder's phase, once for all segments, when the first of them needs it.
  void encode_texts() {
    if (prompt_.tokens.defined()) return;
    clock_.start(Phase::text, 1);
    std::vector<std::string> prompts{plan_.settings.prompt};
    if (is_guided(plan_.settings)) prompts.push_back(plan_.settings.negative);
    auto encoded = plan_.model->encode_prompts(prompts, plan_.settings, plan_.compute, observer());
    clock_.advance(1);
    if (!encoded[0].lost.empty()) {
      observer().warning("the prompt is longer than the network reads; cut off: \"" + printable(encoded[0].lost) +
                         "\"");
    }
    prompt_ = encoded[0].embedding;
    if (encoded.size() > 1) negative_ = encoded[1].embedding;
    clock_.throw_if_stopped();
  }

  void render_group(size_t first, size_t last) {
    if (latents_.size() >= last) return;
    encode_texts();
    first = std::max(first, latents_.size());
    std::vector<Conditioning> conditioning = encode_pictures(plan_, first, last, continued_, clock_);
    const RenderSettings& settings = plan_.settings;
    for (auto& given : conditioning) {
      given.prompt = prompt_;
      given.negative = negative_;
      given.width = settings.width;
      given.height = settings.height;
      given.guidance = settings.guidance;
      given.controls = control_pictures(plan_, settings.width, settings.height);
      given.skipped_layers = settings.skip_layers.empty() ? plan_.model->skippable_layers() : settings.skip_layers;
    }
    if (output_.preview_every > 0 && !preview_) {
      clock_.start(Phase::load, 1);
      preview_ = make_previewer(*plan_.model, plan_.compute);
    }
    denoise_segments(plan_, first, last, conditioning, latents_, std::exchange(sampler_, std::nullopt), preview_,
                     output_, metadata_, clock_);
    clock_.start(Phase::write, 1);
    save_latents(output_.latents, {latents_, metadata_});
    clock_.advance(1);
  }

  void decode_group(size_t first, size_t last) {
    const bool only_latents = is_latents(output_.path);
    if (only_latents && last == plan_.segments.size()) return;
    size_t from = first;
    // A second attempt starts the output anew, because the frames of the first one are already in it.
    const auto attempt = [&](const Compute& compute) {
      if (from == 0) {
        writer_.emplace(only_latents ? fs::path() : output_.path, plan_, metadata_,
                        only_latents ? nullptr : make_upscaler(plan_, observer()));
      }
      decode_segments(plan_, compute, std::exchange(from, 0), last, latents_, colours_, *writer_, clock_);
      decode_compute_ = compute;
    };
    keeping_latents([&] {
      clock_.throw_if_stopped();
      retry_with_smaller_tiles([&] { with_fallback(decode_compute_, vae(), "decode", observer(), "", attempt); });
    });
    release_pages(vae());
    continued_ = writer_->last_frame();
  }

  /// Whatever fails from here on, the latents are on disk: says where.
  template <class Work>
  void keeping_latents(Work&& work) {
    try {
      work();
    } catch (const Error&) {
      observer().note("the latents are kept in " + output_.latents.string());
      throw;
    }
  }

  /// One more try after the memory gave out. libtorch reports that as c10::Error, the allocator as bad_alloc.
  template <class Decode>
  void retry_with_smaller_tiles(Decode&& decode) {
    const int64_t smaller = next_smaller_tile(plan_.tile, plan_.settings);
    if (smaller == 0) return decode();
    try {
      return decode();
    } catch (const std::bad_alloc&) {
    } catch (const c10::Error&) {
    }
    plan_.tile = smaller;
    plan_.settings.tiling = std::to_string(smaller);
    metadata_ = metadata_text(plan_);
    trim_memory();
    observer().warning(c10::str("the memory gave out while decoding; trying again in tiles of ", smaller, " pixels"));
    decode();
  }

  RenderResult finish() {
    RenderResult result;
    clock_.start(Phase::write, 1);
    if (writer_ && !is_latents(output_.path)) {
      keeping_latents([&] { writer_->finish(); });
      result.outputs = writer_->outputs();
      result.constant_picture = writer_->constant() && plan_.settings.width * plan_.settings.height > 1;
      for (const auto& note : writer_->notes()) observer().note(note);
    }
    if (is_latents(output_.path)) result.outputs = {output_.latents};
    if (result.constant_picture) observer().warning("every pixel of the output has the same colour");
    std::error_code ignored;
    fs::remove(output_.state, ignored);
    if (output_.keep_latents) result.latents = output_.latents;
    if (!output_.keep_latents) fs::remove(output_.latents, ignored);
    clock_.advance(1);
    clock_.stop();
    result.costs = clock_.costs();
    return result;
  }

  RenderPlan plan_;
  const OutputOptions output_;
  PhaseClock clock_;
  std::string metadata_;
  PromptEmbedding prompt_, negative_;
  at::Tensor continued_;
  std::vector<at::Tensor> latents_;
  std::optional<schedulers::SamplerState> sampler_;
  Previewer preview_;
  std::optional<FrameWriter> writer_;
  std::vector<std::vector<ColourTarget>> colours_;
  Compute decode_compute_;
};

}  // namespace

std::string_view name_of(Phase phase) {
  switch (phase) {
    case Phase::load:
      return "load";
    case Phase::text:
      return "text";
    case Phase::image:
      return "image";
    case Phase::denoise:
      return "denoise";
    case Phase::decode:
      return "decode";
    case Phase::upscale:
      return "upscale";
    case Phase::write:
      return "write";
  }
  return "";
}

bool Observer::wants_stop() { return pending_signal() != 0; }

uint64_t RenderResult::peak_bytes() const {
  uint64_t peak = 0;
  for (const auto& cost : costs) peak = std::max(peak, cost.peak_bytes);
  return peak;
}

RenderResult render(const RenderPlan& plan, const OutputOptions& output, Observer& observer) {
  const c10::InferenceMode no_gradients;
  return Run(plan, output, observer)();
}

RenderResult render(const RenderSettings& settings, const OutputOptions& output, Observer& observer) {
  const RenderPlan plan = plan_render(settings);
  for (const auto& note : plan.notes) observer.note(note);
  return render(plan, output, observer);
}

}  // namespace keyflow::pipeline
