#include "models/t5/config.h"

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/fields.h"
#include "models/t5/keys.h"

namespace keyflow::t5 {

void EncoderConfig::validate() const {
  const auto in_range = [](const char* name, int64_t value, int64_t most) {
    require(value >= 1 && value <= most, ErrorKind::config, "t5: ", name, ": expected 1 to ", most, ", found ", value);
  };
  in_range("vocab_size", vocab_size, 1 << 24);
  in_range("d_model", d_model, 1 << 20);
  in_range("d_kv", d_kv, 1 << 16);
  in_range("num_heads", num_heads, 1 << 12);
  in_range("d_ff", d_ff, 1 << 22);
  in_range("num_layers", num_layers, 1000);
  in_range("relative_attention_max_distance", relative_attention_max_distance, 1 << 20);
  const int64_t buckets = relative_attention_num_buckets;
  require(buckets >= 4 && buckets % 4 == 0 && buckets <= 1 << 16, ErrorKind::config,
          "t5: relative_attention_num_buckets: expected a multiple of 4, found ", buckets);
  require(relative_attention_max_distance > buckets / 4, ErrorKind::config, "t5: relative_attention_max_distance ",
          relative_attention_max_distance, ": expected more than a quarter of the ", buckets, " buckets");
  require(layer_norm_epsilon > 0 && layer_norm_epsilon < 1, ErrorKind::config,
          "t5: layer_norm_epsilon: expected 0 to 1, found ", layer_norm_epsilon);
}

EncoderConfig encoder_config_from_json(const nlohmann::json& json, const std::string& where) {
  EncoderConfig config;
  JsonFields fields(json, where);
  std::string model_type = "umt5";
  fields.read("model_type", model_type);
  require(model_type == "umt5" || model_type == "t5", ErrorKind::unsupported, where,
          ": model_type: expected umt5 or t5, found ", printable(model_type));
  config.bias_in_every_layer = model_type == "umt5";
  fields.read("vocab_size", config.vocab_size);
  fields.read("d_model", config.d_model);
  fields.read("d_kv", config.d_kv);
  fields.read("num_heads", config.num_heads);
  fields.read("d_ff", config.d_ff);
  fields.read("num_layers", config.num_layers);
  fields.read("relative_attention_num_buckets", config.relative_attention_num_buckets);
  fields.read("relative_attention_max_distance", config.relative_attention_max_distance);
  fields.read("layer_norm_epsilon", config.layer_norm_epsilon);
  // "gated-gelu" means the tanh form, whatever dense_act_fn was spelt as.
  fields.expect("feed_forward_proj", {"gated-gelu"});
  fields.expect("dense_act_fn", {"gelu_new", "gelu_pytorch_tanh"});
  fields.expect("is_gated_act", {true});
  // The decoder, training, generation and book-keeping: nothing that the encoder computes with.
  for (const char* key : {"_name_or_path",        "architectures",
                          "classifier_dropout",   "decoder_start_token_id",
                          "dropout_rate",         "dtype",
                          "torch_dtype",          "eos_token_id",
                          "initializer_factor",   "is_decoder",
                          "is_encoder_decoder",   "num_decoder_layers",
                          "output_past",          "scale_decoder_outputs",
                          "pad_token_id",         "scalable_attention",
                          "tie_word_embeddings",  "tokenizer_class",
                          "transformers_version", "use_cache",
                          "n_positions",          "task_specific_params",
                          "bos_token_id"}) {
    fields.skip(key);
  }
  fields.finish();
  config.validate();
  return config;
}

EncoderConfig encoder_config_from_tensors(const std::vector<weights::TensorInfo>& tensors) {
  EncoderConfig config;
  const EncoderKeys keys = encoder_keys(tensors);
  const auto rename = keys.rename();
  const auto shape = [&](const std::string& name) -> const std::vector<int64_t>* {
    const std::string wanted = rename(name).name;
    for (const auto& info : tensors) {
      if (info.name == wanted) return &info.shape;
    }
    return nullptr;
  };
  const auto matrix = [&](const std::string& name) {
    const auto* found = shape(name);
    require(found && found->size() == 2, ErrorKind::weights, "t5: expected a matrix ", rename(name).name, ", found ",
            found ? "a tensor of another rank" : "none");
    return *found;
  };
  const auto embedding = matrix("token_embedding.weight");
  const auto bias = matrix("blocks.0.pos_embedding.embedding.weight");
  config.vocab_size = embedding[0];
  config.d_model = embedding[1];
  config.relative_attention_num_buckets = bias[0];
  config.num_heads = bias[1];
  require(config.num_heads > 0, ErrorKind::weights, "t5: expected attention heads, found 0");
  config.d_kv = matrix("blocks.0.attn.q.weight")[0] / config.num_heads;
  config.d_ff = matrix("blocks.0.ffn.fc1.weight")[0];
  // Any weight of a block counts, so that one missing tensor is reported as such and not as a shorter network.
  config.num_layers = 0;
  for (bool found = true; found;) {
    found = false;
    for (const char* weight : {"norm1", "attn.q", "attn.o", "norm2", "ffn.fc1", "ffn.fc2"}) {
      found = found || shape(c10::str("blocks.", config.num_layers, ".", weight, ".weight"));
    }
    if (found) ++config.num_layers;
  }
  config.bias_in_every_layer = shape("blocks.1.pos_embedding.embedding.weight") != nullptr || config.num_layers == 1;
  config.validate();
  return config;
}

}  // namespace keyflow::t5
