#include "train/clip_quality.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/stack.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "core/error.h"
#include "media/picture.h"
#include "pipeline/model.h"
#include "pipeline/render.h"
#include "train/dataset.h"
#include "train/vae_trainer.h"

namespace keyflow::train {
namespace {

namespace fs = std::filesystem;
using pipeline::Keyframe;

double median(std::vector<double> values) {
  require(!values.empty(), ErrorKind::internal, "median of nothing");
  std::nth_element(values.begin(), values.begin() + static_cast<int64_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

/// Of values in [-1, 1].
double psnr(const at::Tensor& a, const at::Tensor& b) {
  const double error = (a - b).square().mean().item<double>();
  return error > 0 ? 10 * std::log10(4 / error) : 99;
}

double change(const at::Tensor& x, int64_t dim) {
  const int64_t n = x.size(dim) - 1;
  return (x.narrow(dim, 1, n) - x.narrow(dim, 0, n)).square().mean().item<double>();
}

/// A folder that goes away with all it holds.
struct Scratch {
  fs::path path = fs::temp_directory_path() / ("keyflow-quality-" + std::to_string(::getpid()));
  Scratch() { fs::create_directories(path); }
  ~Scratch() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
};

/// Renders with these keyframes: [T, 3, H, W] in [-1, 1].
at::Tensor render(const QualityOptions& options, const std::string& prompt, const at::Tensor& clip,
                  const std::vector<int64_t>& given, const fs::path& folder) {
  pipeline::RenderSettings settings;
  settings.model = options.model;
  settings.prompt = prompt;
  settings.seed = options.seed;
  settings.steps = options.steps;
  settings.frames = clip.size(0);
  settings.height = clip.size(2);
  settings.width = clip.size(3);
  for (const int64_t t : given) {
    const fs::path picture = folder / ("given" + std::to_string(t) + ".png");
    media::write_png(picture, clip[t]);
    settings.keyframes.push_back({t, picture, ""});
  }
  pipeline::Observer silent;
  pipeline::OutputOptions output;
  output.path = folder / "frame%04d.png";
  pipeline::render(settings, output, silent);
  std::vector<at::Tensor> frames;
  for (int64_t t = 0; t < clip.size(0); ++t) {
    char name[32];
    std::snprintf(name, sizeof name, "frame%04d.png", static_cast<int>(t));
    frames.push_back(to_float(media::read_picture(folder / name).rgb));
  }
  return at::stack(frames);
}

}  // namespace

ClipQuality clip_quality(const QualityOptions& options, const std::function<void(int64_t, int64_t)>& progress) {
  const at::NoGradGuard no_grad;
  const Dataset data = open_dataset(options.data);
  ClipQuality quality;
  quality.clips = std::min<int64_t>(options.clips, static_cast<int64_t>(data.validation.size()));
  require(quality.clips > 0, ErrorKind::config, printable(options.data.string(), 400),
          ": expected clips kept aside, found none");
  pipeline::RenderSettings settings;
  settings.model = options.model;
  const auto model = pipeline::open_model(settings, pipeline::Need::vae);
  const auto& network = model->network(models::Part::vae);
  const wan::VaeConfig config = network.part.config.empty() ? wan::vae_config_from_tensors(network.file()->tensors())
                                                            : wan::vae_config_from_json(network.part.config);
  weights::FileSource source(network.file(), network.rename);
  const wan::Vae vae(weights::Scope(source, machine_compute()), config);
  const VaeQuality whole = vae_quality(vae, data, quality.clips);
  quality.vae_psnr = whole.psnr;
  quality.vae_flicker = whole.flicker;
  std::vector<double> first, last, middle, fade, gradient, motion, pinned, seconds;
  const Scratch scratch;
  for (int64_t i = 0; i < quality.clips; ++i) {
    const int64_t n = data.validation[static_cast<size_t>(i)];
    const at::Tensor clip = data.clips[n], real = to_float(clip);  // [T, 3, H, W]
    const std::string prompt = static_cast<size_t>(n) < data.names.size() ? data.names[static_cast<size_t>(n)] : "";
    const int64_t T = clip.size(0), inside = T - 2;

    const auto start = std::chrono::steady_clock::now();
    const at::Tensor made = render(options, prompt, clip, {0, T - 1}, scratch.path);
    seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    first.push_back(psnr(made[0], real[0]));
    last.push_back(psnr(made[T - 1], real[T - 1]));
    std::vector<at::Tensor> mixed;
    for (int64_t t = 1; t + 1 < T; ++t) {
      const double share = static_cast<double>(t) / static_cast<double>(T - 1);
      mixed.push_back((1 - share) * real[0] + share * real[T - 1]);
    }
    const at::Tensor between = made.narrow(0, 1, inside), truth = real.narrow(0, 1, inside);
    middle.push_back(psnr(between, truth));
    fade.push_back(psnr(at::stack(mixed), truth));
    gradient.push_back((change(between, 2) + change(between, 3)) / std::max(1e-9, change(truth, 2) + change(truth, 3)));
    motion.push_back(change(made, 0) / std::max(1e-9, change(real, 0)));

    const int64_t pin = std::array<int64_t, 3>{5, 8, 11}[static_cast<size_t>(i % 3)] * (T - 1) / 16;
    pinned.push_back(psnr(render(options, prompt, clip, {pin}, scratch.path)[pin], real[pin]));
    progress(i + 1, quality.clips);
  }
  quality.first_psnr = median(first);
  quality.last_psnr = median(last);
  quality.middle_psnr = median(middle);
  quality.cross_fade_psnr = median(fade);
  quality.gradient_energy = median(gradient);
  quality.motion_energy = median(motion);
  quality.pinned_psnr = median(pinned);
  quality.seconds_per_clip = median(seconds);
  return quality;
}

}  // namespace keyflow::train
