#include "bench/modules.h"

#include <ATen/ops/linear.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/tensor.h>
#include <c10/core/InferenceMode.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "bench/op_meter.h"
#include "bench/packed_linear.h"
#include "bench/random_source.h"
#include "core/memory.h"
#include "core/random.h"
#include "models/clip/vision.h"
#include "models/esrgan/load.h"
#include "models/t5/encoder.h"
#include "models/wan/transformer_load.h"
#include "models/wan/vae.h"
#include "weights/plan.h"

namespace keyflow::bench {
namespace {

namespace fs = std::filesystem;
using Run = std::function<void()>;
using weights::Scope;

/// The networks keep their weights alive in the closure.
Run transformer(const Compute& compute, const fs::path& folder) {
  std::shared_ptr<wan::Transformer> network;
  if (folder.empty()) {
    RandomSource source;
    network = std::make_shared<wan::Transformer>(Scope(source, compute), wan::TransformerConfig{});
  } else {
    const auto file = weights::open_tensors(folder);
    network = std::make_shared<wan::Transformer>(
        wan::load_transformer(file, wan::transformer_config(*file, folder / "config.json"), compute));
  }
  const wan::Context context = network->prepare(randn({1, 512, network->config().text_dim}, 2));
  const at::Tensor latents = randn({1, network->config().in_dim, 5, 32, 32}, 3), time = at::tensor({500.F});
  return [network, context, latents, time] { (*network)(latents, time, context); };
}

std::shared_ptr<wan::Vae> vae(const Compute& compute, const fs::path& folder) {
  if (folder.empty()) {
    RandomSource source;
    return std::make_shared<wan::Vae>(Scope(source, compute), wan::VaeConfig{});
  }
  const wan::VaeConfig config = wan::vae_config_from_json(folder / "config.json");
  const auto file = weights::open_tensors(folder);
  weights::FileSource source(file, wan::vae_rename(*file, config));
  return std::make_shared<wan::Vae>(Scope(source, compute), config);
}

Run vae_decode(const Compute& compute, const fs::path& folder) {
  const auto network = vae(compute, folder);
  const at::Tensor latents = randn({1, 16, 5, 32, 32}, 3);
  return [network, latents] { network->decode(latents, [](const at::Tensor&) {}); };
}

Run vae_encode(const Compute& compute, const fs::path& folder) {
  const auto network = vae(compute, folder);
  const at::Tensor video = randn({1, 3, 17, 256, 256}, 3).clamp(-1, 1);
  return [network, video] { network->encode(video); };
}

/// Four of umT5-XXL's 24 layers: all of it would take 11 GB to time what repeats.
Run text_encoder(const Compute& compute, const fs::path&) {
  t5::EncoderConfig config;
  config.num_layers = 4;
  config.vocab_size = 1024;
  RandomSource source;
  const auto network = std::make_shared<t5::Encoder>(Scope(source, compute), config);
  const at::Tensor ids = at::randint(0, 1024, {1, 512}, at::kLong);
  return [network, ids] { (*network)(ids); };
}

Run picture_encoder(const Compute& compute, const fs::path&) {
  RandomSource source;
  const auto network = std::make_shared<clip::VisionTower>(Scope(source, compute), clip::VisionConfig{});
  const at::Tensor pixels = randn({2, 3, 224, 224}, 3);
  return [network, pixels] { (*network)(pixels); };
}

Run upscaler(esrgan::Config config, const at::Tensor& pixels, const Compute& compute, const fs::path& file) {
  RandomSource source;
  const auto network =
      std::make_shared<esrgan::Network>(file.empty() ? esrgan::Network(Scope(source, compute), config)
                                                     : esrgan::load(weights::open_tensors(file), compute));
  return [network, pixels] { (*network)(pixels); };
}

Run video_upscaler(const Compute& compute, const fs::path& file) {
  esrgan::Config config;
  config.kind = esrgan::Kind::compact;
  config.blocks = 16;
  return upscaler(config, randn({1, 3, 256, 256}, 3), compute, file);
}

Run picture_upscaler(const Compute& compute, const fs::path& file) {
  return upscaler({}, randn({1, 3, 128, 128}, 3), compute, file);
}

/// The weight is made up, whatever the folder.
template <BlockFormat format>
Run linear(const Compute& compute, const fs::path&) {
  return packed_linear(compute, format);
}

double seconds(const Run& run) {
  const auto start = std::chrono::steady_clock::now();
  run();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

const std::vector<Module>& modules() {
  static const std::string kLinear = "1280 tokens, 5120 to 5120, the weight packed so";
  static const std::vector<Module> list{{"wan-dit-1.3b", "256x256x17, 1280 tokens, one pass", transformer},
                                        {"wan-vae-decode", "256x256x17", vae_decode},
                                        {"wan-vae-encode", "256x256x17", vae_encode},
                                        {"umt5-xxl-4-layers", "512 tokens", text_encoder},
                                        {"clip-vit-h", "2 pictures, 224x224", picture_encoder},
                                        {"upscale-video", "realesr-animevideov3, 256x256 by 4", video_upscaler},
                                        {"upscale-picture", "RealESRGAN x4plus, 128x128 by 4", picture_upscaler},
                                        {"linear-fp16", kLinear, linear<BlockFormat::none>},
                                        {"linear-q8_0", kLinear, linear<BlockFormat::q8_0>},
                                        {"linear-q4_k", kLinear, linear<BlockFormat::q4_k>},
                                        {"linear-q2_k", kLinear, linear<BlockFormat::q2_k>}};
  return list;
}

double machine_rate() {
  const c10::InferenceMode guard;
  const at::Tensor x = randn({2048, 1536}, 1), w = randn({8960, 1536}, 2);
  const Run product = [&] { at::linear(x, w); };
  double best = seconds(product);
  for (int i = 0; i < 3; ++i) best = std::min(best, seconds(product));
  return 2.0 * 2048 * 1536 * 8960 / best;
}

Timing time_module(const Module& module, const Compute& compute, const fs::path& weights, int64_t rounds) {
  const c10::InferenceMode guard;
  Timing timing{module.name, module.size};
  const double before = machine_rate();
  const Run run = module.build(compute, weights);
  trim_memory();
  run();
  timing.seconds = seconds(run);
  for (int64_t i = 1; i < rounds; ++i) timing.seconds = std::min(timing.seconds, seconds(run));
  const OpCount count = count_operators(run);
  timing.flop = count.flop;
  timing.outside = count.outside();
  timing.peak_bytes = peak_resident_bytes();
  timing.machine_flops = std::max(before, machine_rate());
  return timing;
}

}  // namespace keyflow::bench
