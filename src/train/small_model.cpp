#include "train/small_model.h"

#include <ATen/ops/zeros.h>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/json.h"
#include "core/shape.h"
#include "models/clip/preprocess.h"

namespace keyflow::train {

using weights::InitSource;
using weights::Scope;

SmallModelConfig small_model_config(const std::filesystem::path& folder, int64_t vocabulary) {
  const auto read = [&](const char* name) { return read_json(folder / name); };
  SmallModelConfig config;
  config.text = t5::encoder_config_from_json(read("text_encoder.json"), "text_encoder.json");
  config.text.vocab_size = vocabulary;
  config.vision = clip::vision_config_from_json(read("image_encoder.json"), "image_encoder.json");
  config.transformer = wan::transformer_config_from_json(read("transformer.json"), "transformer.json");
  const auto& transformer = config.transformer;
  require(transformer.text_dim == config.text.d_model, ErrorKind::config, "transformer.json: text_dim: expected ",
          config.text.d_model, " (d_model of text_encoder.json), found ", transformer.text_dim);
  require(transformer.image_dim == config.vision.hidden_size, ErrorKind::config,
          "transformer.json: image_dim: expected ", config.vision.hidden_size,
          " (hidden_size of image_encoder.json), found ", transformer.image_dim);
  require(transformer.image_pos_len == 2 * config.vision.tokens(), ErrorKind::config,
          "transformer.json: image_pos_len: expected ", 2 * config.vision.tokens(), " (two pictures), found ",
          transformer.image_pos_len);
  require(transformer.in_dim == 2 * transformer.out_dim + 4, ErrorKind::config, "transformer.json: in_dim: expected ",
          2 * transformer.out_dim + 4, " (latents, mask of 4, condition latents), found ", transformer.in_dim);
  return config;
}

SmallModel::SmallModel(const SmallModelConfig& config, uint64_t seed, const Compute& compute)
    : config_(config),
      device_(compute.device),
      text_source_(std::make_unique<InitSource>(seed, compute.device)),
      vision_source_(std::make_unique<InitSource>(seed + 1, compute.device)),
      transformer_source_(std::make_unique<InitSource>(seed + 2, compute.device)),
      text_encoder_(Scope(*text_source_, compute), config.text),
      vision_(Scope(*vision_source_, compute), config.vision),
      transformer_(Scope(*transformer_source_, compute), config.transformer) {}

wan::Context SmallModel::prepare(const at::Tensor& ids, const at::Tensor& pictures, const at::Tensor& present) const {
  const at::Tensor mask = ids.ne(0);                                                     // [B, L]
  const at::Tensor text = text_encoder_(ids, mask) * mask.unsqueeze(-1).to(at::kFloat);  // [B, L, E]
  const int64_t B = ids.size(0), K = config_.vision.tokens();
  at::Tensor tokens = at::zeros({B, 2 * K, config_.vision.hidden_size}, text.options());  // [B, 2K, E]
  if (pictures.defined()) {
    const auto [batch, slots, C, H, W] = dims<5>(pictures, "pictures");
    const at::Tensor pixels = clip::preprocess(pictures.flatten(0, 1), config_.vision.image_size);
    tokens = vision_(pixels).view({batch, slots, K, -1}) * present.view({batch, slots, 1, 1});
    tokens = tokens.flatten(1, 2);
  }
  return transformer_.prepare(text, tokens);
}

at::Tensor SmallModel::velocity(const at::Tensor& latents, const at::Tensor& timestep,
                                const wan::Context& context) const {
  return transformer_(latents, timestep, context);
}

NamedTensors SmallModel::parameters() const {
  NamedTensors list;
  const auto append = [&](const char* part, const InitSource& source) {
    for (const auto& [name, tensor] : source.named()) list.emplace_back(std::string(part) + "." + name, tensor);
  };
  append("text_encoder", *text_source_);
  append("image_encoder", *vision_source_);
  append("transformer", *transformer_source_);
  return list;
}

}  // namespace keyflow::train
