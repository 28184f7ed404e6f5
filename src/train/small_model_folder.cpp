#include <nlohmann/json.hpp>

#include "core/files.h"
#include "models/t5/keys.h"
#include "models/wan/keys.h"
#include "train/small_model.h"
#include "weights/tensor_file.h"

namespace keyflow::train {
namespace {

using nlohmann::ordered_json;

void write_json(const std::filesystem::path& path, const ordered_json& json) { write_file(path, json.dump(2) + "\n"); }

/// diffusers' config.json of the transformer.
ordered_json transformer_json(const wan::TransformerConfig& config) {
  return {{"_class_name", "WanTransformer3DModel"},
          {"num_attention_heads", config.num_heads},
          {"attention_head_dim", config.head_size()},
          {"ffn_dim", config.ffn_dim},
          {"num_layers", config.num_layers},
          {"in_channels", config.in_dim},
          {"out_channels", config.out_dim},
          {"text_dim", config.text_dim},
          {"text_len", config.text_len},
          {"freq_dim", config.freq_dim},
          {"image_dim", config.image_dim},
          {"added_kv_proj_dim", config.dim},
          {"pos_embed_seq_len", config.image_pos_len},
          {"patch_size", config.patch_size},
          {"cross_attn_norm", true},
          {"qk_norm", "rms_norm_across_heads"},
          {"eps", config.eps},
          {"rope_max_seq_len", config.rope_max_len}};
}

ordered_json text_json(const t5::EncoderConfig& config) {
  return {{"model_type", "umt5"},
          {"vocab_size", config.vocab_size},
          {"d_model", config.d_model},
          {"d_kv", config.d_kv},
          {"num_heads", config.num_heads},
          {"d_ff", config.d_ff},
          {"num_layers", config.num_layers},
          {"relative_attention_num_buckets", config.relative_attention_num_buckets},
          {"relative_attention_max_distance", config.relative_attention_max_distance},
          {"layer_norm_epsilon", config.layer_norm_epsilon},
          {"feed_forward_proj", "gated-gelu"}};
}

}  // namespace

void save_small_model(const std::filesystem::path& folder, const NamedTensors& weights,
                      const SmallModelConfig& config) {
  const auto text_name = t5::EncoderKeys{t5::Spelling::transformers}.rename();
  std::map<std::string, NamedTensors> parts;
  for (const auto& [name, tensor] : weights) {
    const size_t dot = name.find('.');
    const std::string part = name.substr(0, dot), rest = name.substr(dot + 1);
    const std::string renamed = part == "text_encoder"  ? text_name(rest).name
                                : part == "transformer" ? wan::to_diffusers_name(rest)
                                                        : rest;
    parts[part].emplace_back(renamed, tensor.detach().to(at::kCPU, at::kBFloat16).contiguous());
  }
  for (const auto& [part, tensors] : parts) {
    std::filesystem::create_directories(folder / part);
    const char* file = part == "transformer" ? "diffusion_pytorch_model.safetensors" : "model.safetensors";
    weights::save_safetensors(folder / part / file, tensors);
  }
  write_json(folder / "transformer" / "config.json", transformer_json(config.transformer));
  write_json(folder / "text_encoder" / "config.json", text_json(config.text));
  write_json(folder / "image_encoder" / "config.json", clip::to_json(config.vision));
  std::filesystem::create_directories(folder / "scheduler");
  write_json(folder / "scheduler" / "scheduler_config.json", {{"_class_name", "UniPCMultistepScheduler"},
                                                              {"prediction_type", "flow_prediction"},
                                                              {"use_flow_sigmas", true},
                                                              {"flow_shift", 3.0},
                                                              {"num_train_timesteps", 1000}});
  // What the pipeline does where the user says nothing.
  write_json(folder / "preset.json", {{"width", 128},
                                      {"height", 128},
                                      {"frames", 17},
                                      {"fps", 8.0},
                                      {"steps", 20},
                                      {"shift", 3.0},
                                      {"guidance_scale", 3.0},
                                      {"pictures", "optional"}});
  write_json(folder / "model_index.json", {{"_class_name", "WanImageToVideoPipeline"},
                                           {"image_encoder", {"transformers", "CLIPVisionModel"}},
                                           {"scheduler", {"diffusers", "UniPCMultistepScheduler"}},
                                           {"text_encoder", {"transformers", "UMT5EncoderModel"}},
                                           {"tokenizer", {"transformers", "T5Tokenizer"}},
                                           {"transformer", {"diffusers", "WanTransformer3DModel"}},
                                           {"vae", {"diffusers", "AutoencoderKLWan"}}});
}

}  // namespace keyflow::train
