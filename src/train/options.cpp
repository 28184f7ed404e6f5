#include "train/options.h"

#include <ATen/Parallel.h>

#include <charconv>

#include "core/compute.h"
#include "core/data_folder.h"
#include "core/error.h"
#include "train/dataset.h"
#include "train/dit_trainer.h"
#include "train/latent_cache.h"
#include "train/vae_trainer.h"

namespace keyflow::train {
namespace {

/// Takes options one by one, so that what is left over is unknown.
class Reader {
 public:
  explicit Reader(Options options) : options_(std::move(options)) {}

  void take(const std::string& name, std::filesystem::path& value) {
    std::string text = value.string();
    take(name, text);
    value = text;
  }
  void take(const std::string& name, std::string& value) {
    known_.push_back(name);
    const auto found = options_.find(name);
    if (found == options_.end()) return;
    value = found->second;
    options_.erase(found);
  }
  template <class Number>
  requires std::is_arithmetic_v<Number>
  void take(const std::string& name, Number& value, double least, double most) {
    std::string text;
    take(name, text);
    if (text.empty()) return;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    require(error == std::errc() && end == text.data() + text.size() && static_cast<double>(value) >= least &&
                static_cast<double>(value) <= most,
            ErrorKind::usage, "--", name, ": expected a ", std::is_integral_v<Number> ? "whole number" : "number",
            " from ", least, " to ", most, ", found ", printable(text));
  }
  void finish() const {
    for (const auto& [name, value] : options_) {
      const std::string guess = nearest(name, known_);
      fail(ErrorKind::usage, "unknown option --", printable(name),
           guess.empty() ? "" : "; hint: did you mean --" + guess + "?");
    }
  }

 private:
  Options options_;
  std::vector<std::string> known_;
};

/// Threads, arithmetic and the data file, which every stage takes.
struct Setting {
  std::filesystem::path data, folder;
  Compute compute;
};

Setting take_setting(Reader& reader) {
  Setting setting;
  reader.take("data", setting.data);
  reader.take("out", setting.folder);
  std::string dtype;
  reader.take("dtype", dtype);
  int64_t threads = 0;
  reader.take("threads", threads, 1, 4096);
  require(!setting.data.empty(), ErrorKind::usage,
          "--data: expected the file that `keyflow train prepare` made, found nothing");
  require(!setting.folder.empty(), ErrorKind::usage, "--out: expected a folder, found nothing");
  if (threads > 0) at::set_num_threads(static_cast<int>(threads));
  setting.compute = dtype.empty() ? machine_compute() : compute_from_text(dtype);
  // Half floats have too little range for gradients, and are slow where bf16 is missing.
  for (auto* type :
       {&setting.compute.linear, &setting.compute.conv2d, &setting.compute.conv3d, &setting.compute.attention}) {
    if (*type == at::kHalf) *type = at::kFloat;
  }
  return setting;
}

void run_vae(Reader reader, const Surroundings& around) {
  const Setting setting = take_setting(reader);
  VaeTraining training;
  training.data = setting.data;
  training.folder = setting.folder;
  training.compute = setting.compute;
  std::filesystem::path config = data_folder() / "configs" / "mini" / "vae.json";
  reader.take("config", config);
  reader.take("from", training.from);
  reader.take("frames", training.frames, 1, 4097);
  reader.take("crop", training.crop, 8, 4096);
  reader.take("batch", training.batch, 1, 4096);
  reader.take("steps", training.steps, 1, 1e9);
  reader.take("rate", training.peak_rate, 1e-9, 1);
  reader.take("warm-up", training.warm_up, 0, 1e9);
  reader.take("cool-down", training.cool_down, 0, 1e9);
  reader.take("seed", training.seed, 0, 1.8e19);
  reader.take("square-weight", training.square_weight, 0, 1e6);
  reader.take("gradient-weight", training.gradient_weight, 0, 1e6);
  reader.take("kl-weight", training.kl_weight, 0, 1e6);
  reader.take("log-every", training.log_every, 1, 1e9);
  reader.take("save-every", training.save_every, 1, 1e9);
  reader.finish();
  training.model = wan::vae_config_from_json(config);
  around.print("vae: " + to_text(training.compute) + ", log in " + (training.folder / "log.jsonl").string());
  train_vae(training);
  around.print("vae: written to " + (training.folder / "vae").string());
}

void run_vae_quality(Reader reader, const Surroundings& around) {
  const Setting setting = take_setting(reader);
  int64_t clips = 50;
  reader.take("clips", clips, 1, 1e6);
  reader.finish();
  const VaeQuality quality = vae_quality(setting.folder / "vae", setting.data, clips, setting.compute);
  around.print(c10::str("unseen clips reconstructed: PSNR ", quality.psnr, " dB, flicker ", quality.flicker));
}

void run_latents(Reader reader, const Surroundings& around) {
  const Setting setting = take_setting(reader);
  LatentCaching caching;
  caching.data = setting.data;
  caching.vae = setting.folder / "vae";
  caching.output = setting.folder / "latents.safetensors";
  caching.compute = setting.compute;
  reader.take("free-sets", caching.free_sets, 0, 64);
  reader.take("seed", caching.seed, 0, 1.8e19);
  reader.finish();
  cache_latents(caching, [&](int64_t done, int64_t total) {
    if (done % 50 == 0 || done == total) around.print(c10::str("latents: ", done, " of ", total, " clips"));
  });
  around.print("latents: written to " + caching.output.string());
}

void run_dit(Reader reader, const Surroundings& around) {
  const Setting setting = take_setting(reader);
  DitTraining training;
  training.data = setting.data;
  training.latents = setting.folder / "latents.safetensors";
  training.folder = setting.folder;
  training.compute = setting.compute;
  std::filesystem::path config = data_folder() / "configs" / "mini";
  reader.take("config", config);
  reader.take("clip-batch", training.clip_batch, 1, 4096);
  reader.take("picture-batch", training.picture_batch, 1, 4096);
  reader.take("picture-share", training.picture_share, 0, 1);
  reader.take("steps", training.steps, 1, 1e9);
  reader.take("rate", training.peak_rate, 1e-9, 1);
  reader.take("warm-up", training.warm_up, 0, 1e9);
  reader.take("cool-down", training.cool_down, 0, 1e9);
  reader.take("shift", training.shift, 0.01, 100);
  reader.take("text-dropout", training.text_dropout, 0, 1);
  reader.take("picture-dropout", training.picture_dropout, 0, 1);
  reader.take("seed", training.seed, 0, 1.8e19);
  reader.take("log-every", training.log_every, 1, 1e9);
  reader.take("save-every", training.save_every, 1, 1e9);
  reader.take("validate-every", training.validate_every, 0, 1e9);
  reader.take("sample-every", training.sample_every, 0, 1e9);
  training.show = around.show;
  reader.finish();
  const int64_t vocabulary = open_dataset(training.data).vocabulary;
  require(vocabulary > 0, ErrorKind::weights, printable(training.data.string(), 400),
          ": expected the size of the vocabulary in its metadata, found none");
  training.model = small_model_config(config, vocabulary);
  around.print("dit: " + to_text(training.compute) + ", log in " + (training.folder / "log.jsonl").string());
  train_dit(training);
  around.print("dit: written to " + training.folder.string());
}

const std::vector<OptionHelp>& shared_options() {
  static const std::vector<OptionHelp> list{{"data", "FILE", "What `keyflow train prepare` made"},
                                            {"out", "FOLDER", "State, log and the finished network"},
                                            {"dtype", "TYPE", "fp32, bf16 or CLASS=TYPE pairs [probed]"},
                                            {"threads", "N", "Threads [all cores]"}};
  return list;
}

}  // namespace

std::vector<std::string> stages() { return {"vae", "vae-quality", "latents", "dit"}; }

std::vector<OptionHelp> stage_options(const std::string& stage) {
  std::vector<OptionHelp> list = shared_options();
  if (stage == "vae-quality") list.push_back({"clips", "N", "Unseen clips to measure [50]"});
  if (stage == "latents") {
    list.push_back({"free-sets", "N", "Conditions of random frames for each clip [2]"});
    list.push_back({"seed", "N", "Seed of weights, crops and noise [0]"});
  }
  if (stage == "dit") {
    for (const OptionHelp& option :
         std::vector<OptionHelp>{{"config", "PATH", "vae: network file; dit: folder of three [configs/mini]"},
                                 {"clip-batch", "N", "Clips of a clip step [8]"},
                                 {"picture-batch", "N", "Pictures of a picture step [32]"},
                                 {"picture-share", "X", "Share of picture steps [0.34]"},
                                 {"steps", "N", "Steps of this stage [vae 800, dit 2000]"},
                                 {"rate", "X", "Peak learning rate [vae 0.001, dit 0.0005]"},
                                 {"warm-up", "N", "Steps until it is reached [vae 50, dit 100]"},
                                 {"cool-down", "N", "Steps of its fall at the end [vae 200, dit 500]"},
                                 {"shift", "X", "Shift of the sampled sigmas [2]"},
                                 {"text-dropout", "X", "Samples with the empty prompt [0.12]"},
                                 {"picture-dropout", "X", "Samples without picture tokens [0.1]"},
                                 {"seed", "N", "Seed of weights, samples and noise [0]"},
                                 {"log-every", "N", "Steps between lines of log.jsonl [20]"},
                                 {"save-every", "N", "Steps between saved states [200]"},
                                 {"validate-every", "N", "Steps between losses on unseen clips, 0: none [200]"},
                                 {"sample-every", "N", "Steps between sheets in samples/, 0: none [0]"}}) {
      list.push_back(option);
    }
  }
  if (stage == "vae") {
    for (const OptionHelp& option :
         std::vector<OptionHelp>{{"config", "FILE", "Network [configs/mini/vae.json]"},
                                 {"frames", "N", "Frames of a crop, 4n+1; 1 trains the spatial network alone [1]"},
                                 {"crop", "N", "Pixels of a crop's side [64]"},
                                 {"batch", "N", "Crops a step [24]"},
                                 {"steps", "N", "Steps of this stage [800]"},
                                 {"rate", "X", "Peak learning rate [0.001]"},
                                 {"warm-up", "N", "Steps until it is reached [50]"},
                                 {"cool-down", "N", "Steps of its fall at the end [200]"},
                                 {"from", "FOLDER", "A finished vae/ to start from"},
                                 {"square-weight", "X", "Weight of the squared error [4]"},
                                 {"gradient-weight", "X", "Weight of differences of neighbours [0.5]"},
                                 {"kl-weight", "X", "Weight of the divergence from N(0, 1) [1e-6]"},
                                 {"seed", "N", "Seed of weights, crops and noise [0]"},
                                 {"log-every", "N", "Steps between lines of log.jsonl [20]"},
                                 {"save-every", "N", "Steps between saved states [200]"}}) {
      list.push_back(option);
    }
  }
  return list;
}

void run_stage(const std::string& stage, const Options& options, const Surroundings& around) {
  if (stage == "vae") return run_vae(Reader(options), around);
  if (stage == "vae-quality") return run_vae_quality(Reader(options), around);
  if (stage == "latents") return run_latents(Reader(options), around);
  if (stage == "dit") return run_dit(Reader(options), around);
  fail(ErrorKind::usage, "train: unknown stage ", printable(stage), "; expected vae, vae-quality, latents or dit");
}

}  // namespace keyflow::train
