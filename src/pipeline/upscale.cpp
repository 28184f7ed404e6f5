#include "pipeline/upscale.h"

#include <c10/core/InferenceMode.h>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/interrupt.h"
#include "core/memory.h"
#include "media/frame_sink.h"
#include "media/output.h"
#include "media/picture.h"
#include "media/resize.h"
#include "media/settings.h"
#include "media/video_reader.h"
#include "pipeline/metadata.h"
#include "pipeline/phase_clock.h"

namespace keyflow::pipeline {
namespace {

namespace fs = std::filesystem;

std::string quoted(const fs::path& path) { return printable(path.string(), 400); }

std::string size_text(int64_t width, int64_t height) { return c10::str(width, "x", height); }

/// Decodes the whole video once: a damaged frame is found before any work, and a sink wants to know their number.
void read_video_input(UpscalePlan& plan) {
  const auto reader = media::open_video(plan.input);
  plan.width = reader->width();
  plan.height = reader->height();
  plan.frames = 0;
  while (reader->next()) {
    ++plan.frames;
    throw_if_interrupted();
  }
  plan.fps = reader->fps();
  if (reader->has_audio()) plan.notes.push_back("the sound of " + quoted(plan.input) + " is left out");
}

void read_input(UpscalePlan& plan) {
  try {
    media::Picture picture = media::read_picture(plan.input);
    if (picture.note.empty()) {
      if (picture.transparent) plan.notes.push_back("what is transparent in " + quoted(plan.input) + " becomes white");
      plan.height = picture.rgb.size(1);
      plan.width = picture.rgb.size(2);
      plan.picture = std::move(picture.rgb);
      return;
    }
  } catch (const Error&) {
    // No picture: the video reader's message then says what the file is.
  }
  read_video_input(plan);
}

/// What the network makes of the picture, and the result's size.
void measure(UpscalePlan& plan) {
  int64_t factor = 1;
  for (int64_t i = 0; i < plan.settings.repeats; ++i) factor *= plan.model.config.scale();
  if (plan.settings.scale <= 0) plan.settings.scale = static_cast<double>(factor);
  const auto scaled = [&](int64_t side) {
    return std::max<int64_t>(std::llround(static_cast<double>(side) * plan.settings.scale), 1);
  };
  plan.large_width = scaled(plan.width);
  plan.large_height = scaled(plan.height);
  require(plan.large_width <= media::kMaxSide && plan.large_height <= media::kMaxSide &&
              plan.large_width * plan.large_height <= media::kMaxPixels,
          ErrorKind::usage, quoted(plan.input), " of ", size_text(plan.width, plan.height), " enlarged ",
          plan.settings.scale, " times is ", size_text(plan.large_width, plan.large_height), "; expected sides up to ",
          media::kMaxSide, " and at most ", media::kMaxPixels, " pixels; hint: a smaller --scale");
  if (plan.settings.scale > static_cast<double>(factor)) {
    plan.notes.push_back(c10::str("the network enlarges ", factor, " times, Lanczos the rest; hint: --repeats"));
  }
}

/// Throws unless the largest pass fits.
void require_memory(const UpscalePlan& plan, uint64_t available) {
  const double scale = static_cast<double>(plan.model.config.scale());
  double before = static_cast<double>(plan.width) * static_cast<double>(plan.height);  // pixels that the pass reads
  for (int64_t i = 1; i < plan.settings.repeats; ++i) before *= scale * scale;
  const double grown = std::sqrt(before / static_cast<double>(plan.width * plan.height));
  const auto side = [&](int64_t pixels) {
    return static_cast<int64_t>(std::min(static_cast<double>(pixels) * grown, 1e9));
  };
  const auto work = [&](int64_t tile) {
    return static_cast<double>(
        upscale_bytes(plan.model.config, plan.compute, side(plan.height), side(plan.width), tile));
  };
  // The pass reads floats and writes bytes; the result's encoder holds it three times.
  const double result = static_cast<double>(plan.large_width) * static_cast<double>(plan.large_height);
  const double pictures = 15 * before + 3 * before * scale * scale + 9 * result;
  const double needed = work(plan.tile) + pictures;
  if (needed <= static_cast<double>(available)) return;
  constexpr double kBeyondMachines = 2199023255552.0;
  constexpr int64_t kSmallTile = 64;
  const auto mib = [](double bytes) { return c10::str(std::ceil(bytes / (1 << 20)), " MiB"); };
  const bool smaller = work(kSmallTile) + pictures <= static_cast<double>(available);
  fail(needed > kBeyondMachines ? ErrorKind::usage : ErrorKind::device, "upscale: ", size_text(plan.width, plan.height),
       " to ", size_text(plan.large_width, plan.large_height), " needs about ", mib(needed),
       " of memory, available are ", mib(static_cast<double>(available)),
       smaller ? c10::str("; hint: --tile ", kSmallTile) : "; hint: fewer --repeats, or a smaller picture");
}

/// The settings that the input carries, and this upscale.
std::string metadata_of(UpscalePlan& plan) {
  std::string stored;
  try {
    stored = media::read_settings(plan.input);
  } catch (const Error&) {
    // Most pictures have none, and a damaged file was refused before.
  }
  const auto& settings = plan.settings;
  const nlohmann::json step{{"model", settings.model.filename().string()},
                            {"network", plan.model.variant},
                            {"hash", plan.model.hash},
                            {"scale", settings.scale},
                            {"repeats", settings.repeats},
                            {"tile", settings.tile},
                            {"dtype", settings.dtype}};
  return metadata_with_upscale(stored, step);
}

/// Frames of the input, one after the other.
class Frames {
 public:
  explicit Frames(const UpscalePlan& plan) : picture_(plan.picture) {
    if (!picture_.defined()) reader_ = media::open_video(plan.input);
  }
  at::Tensor next(const fs::path& input) {
    if (!reader_) return picture_;
    const std::optional<at::Tensor> frame = reader_->next();
    require(frame.has_value(), ErrorKind::io, quoted(input), ": has fewer frames than a moment ago");
    return *frame;
  }

 private:
  at::Tensor picture_;
  std::unique_ptr<media::VideoReader> reader_;
};

media::SinkOptions sink_options(const UpscalePlan& plan) {
  media::SinkOptions options;
  options.width = plan.large_width;
  options.height = plan.large_height;
  options.fps = plan.fps;
  options.frames = plan.frames;
  options.crf = static_cast<int>(plan.settings.crf);
  options.settings_json = plan.metadata;
  return options;
}

std::vector<fs::path> outputs_of(const UpscalePlan& plan, const fs::path& path) {
  const media::Output output = media::parse_output(path, plan.frames);
  if (!output.is_pattern) return {path};
  std::vector<fs::path> paths;
  for (int64_t i = 0; i < plan.frames; ++i) paths.push_back(output.frame_path(i));
  return paths;
}

}  // namespace

UpscalePlan plan_upscale(const UpscaleSettings& settings, const fs::path& input) {
  UpscalePlan plan;
  plan.settings = settings;
  plan.input = input;
  plan.model = open_upscaler(settings.model);
  plan.compute = settings.dtype == "auto" ? machine_compute() : compute_from_text(settings.dtype);
  plan.settings.dtype = to_text(plan.compute);
  const uint64_t available = available_bytes();
  plan.tile = upscale_tile(settings.tile, plan.model.config, plan.compute, available);
  plan.settings.tile = plan.tile == 0 ? "off" : std::to_string(plan.tile);
  read_input(plan);
  measure(plan);
  require_memory(plan, available);
  plan.metadata = metadata_of(plan);
  return plan;
}

RenderResult upscale(const UpscalePlan& plan, const OutputOptions& output, Observer& observer) {
  const c10::InferenceMode no_gradients;
  media::require_output(output.path, plan.frames, plan.settings.crf);
  for (const auto& note : plan.notes) observer.note(note);
  PhaseClock clock(observer);
  clock.start(Phase::load, 1);
  Upscaler upscaler(plan.model, plan.compute, {.repeats = plan.settings.repeats, .tile = plan.tile}, observer);
  const auto sink = media::open_sink(output.path, sink_options(plan));
  Frames frames(plan);
  const int64_t tiles = upscaler.tiles(plan.height, plan.width);
  // A video is counted in frames, a picture in tiles.
  clock.start(Phase::upscale, plan.frames > 1 ? plan.frames : tiles);
  int64_t done = 0;
  for (int64_t index = 0; index < plan.frames; ++index) {
    at::Tensor large = upscaler(frames.next(plan.input), [&] { clock.advance(plan.frames > 1 ? index : ++done); });
    if (large.size(1) != plan.large_height || large.size(2) != plan.large_width) {
      large = media::resize_lanczos_pil(large, plan.large_height, plan.large_width);
    }
    sink->write(large);
    if (plan.frames > 1) clock.advance(index + 1);
    clock.throw_if_stopped();
  }
  clock.start(Phase::write, 1);
  sink->finish();
  clock.advance(1);
  clock.stop();
  if (!sink->note().empty()) observer.note(sink->note());
  RenderResult result;
  result.outputs = outputs_of(plan, output.path);
  result.costs = clock.costs();
  return result;
}

}  // namespace keyflow::pipeline
