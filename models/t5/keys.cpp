#include "models/t5/keys.h"

#include <array>

namespace keyflow::t5 {
namespace {

/// Below "blocks.N.", "encoder.block.N." and "enc.blk.N.".
constexpr std::array<std::array<std::string_view, 3>, 10> kBlockNames{
    {{"norm1.weight", "layer.0.layer_norm.weight", "attn_norm.weight"},
     {"attn.q.weight", "layer.0.SelfAttention.q.weight", "attn_q.weight"},
     {"attn.k.weight", "layer.0.SelfAttention.k.weight", "attn_k.weight"},
     {"attn.v.weight", "layer.0.SelfAttention.v.weight", "attn_v.weight"},
     {"attn.o.weight", "layer.0.SelfAttention.o.weight", "attn_o.weight"},
     {"pos_embedding.embedding.weight", "layer.0.SelfAttention.relative_attention_bias.weight", "attn_rel_b.weight"},
     {"norm2.weight", "layer.1.layer_norm.weight", "ffn_norm.weight"},
     {"ffn.gate.0.weight", "layer.1.DenseReluDense.wi_0.weight", "ffn_gate.weight"},
     {"ffn.fc1.weight", "layer.1.DenseReluDense.wi_1.weight", "ffn_up.weight"},
     {"ffn.fc2.weight", "layer.1.DenseReluDense.wo.weight", "ffn_down.weight"}}};

/// How a spelling calls the norm after the blocks, the blocks, and what is in them (a column of kBlockNames).
struct Words {
  std::string_view norm, blocks;
  size_t column;
};
constexpr Words kTransformers{"encoder.final_layer_norm.weight", "encoder.block.", 1};
constexpr Words kLlama{"enc.output_norm.weight", "enc.blk.", 2};

std::string name_in(const Words& words, const std::string& name, const std::string& embedding) {
  if (name == "token_embedding.weight") return embedding;
  if (name == "norm.weight") return std::string(words.norm);
  const size_t start = std::string_view("blocks.").size(), dot = name.find('.', start);
  if (!name.starts_with("blocks.") || dot == std::string::npos) return name;
  const std::string rest = name.substr(dot + 1);
  for (const auto& names : kBlockNames) {
    if (rest != names[0]) continue;
    return std::string(words.blocks) + name.substr(start, dot - start) + "." + std::string(names[words.column]);
  }
  return name;
}

bool has(const std::vector<weights::TensorInfo>& tensors, std::string_view name) {
  return std::any_of(tensors.begin(), tensors.end(), [&](const auto& info) { return info.name == name; });
}

}  // namespace

weights::Rename EncoderKeys::rename() const {
  if (spelling == Spelling::official) return weights::same_name;
  return [keys = *this](const std::string& model) {
    const Words& words = keys.spelling == Spelling::llama_cpp ? kLlama : kTransformers;
    return weights::FileName{keys.prefix + name_in(words, model, keys.embedding)};
  };
}

weights::Ignore EncoderKeys::ignore() const {
  if (spelling != Spelling::transformers) return {};
  return [used = embedding, prefix = prefix](const std::string& file_name) {
    // The other networks of a whole checkpoint.
    if (!file_name.starts_with(prefix)) return true;
    const std::string_view name = std::string_view(file_name).substr(prefix.size());
    // The embedding's second name; the decoder and the word head of a whole T5.
    const bool tied = name == "encoder.embed_tokens.weight" || name == "shared.weight";
    return (tied && name != used) || name.starts_with("decoder.") || name == "lm_head.weight";
  };
}

EncoderKeys encoder_keys(const std::vector<weights::TensorInfo>& tensors) {
  EncoderKeys keys;
  if (has(tensors, kLlama.norm)) return {Spelling::llama_cpp, "token_embd.weight"};
  for (const std::string prefix : {"", "text_encoders.t5xxl.transformer."}) {
    const bool tied = has(tensors, prefix + "shared.weight");
    if (!tied && !has(tensors, prefix + "encoder.final_layer_norm.weight")) continue;
    keys = {Spelling::transformers, tied ? "shared.weight" : "encoder.embed_tokens.weight", prefix};
  }
  return keys;
}

}  // namespace keyflow::t5
