#include "pipeline/families/prompt_text.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>

#include <nlohmann/json.hpp>

#include "core/json.h"
#include "models/clip/text_load.h"
#include "models/t5/encoder.h"
#include "models/t5/prompt.h"
#include "pipeline/precision.h"

namespace keyflow::pipeline {
namespace {

/// [n, L] ids, and weights where some are not 1.
clip::PromptRows rows_of(const text::PromptTokens& tokens, const at::Tensor& learned = {}) {
  std::vector<at::Tensor> ids, weights;
  for (const auto& row : tokens.rows) {
    ids.push_back(at::tensor(row.ids, at::kLong));
    weights.push_back(at::tensor(row.weights, at::kDouble));
  }
  return {at::stack(ids), tokens.weighted() ? at::stack(weights) : at::Tensor(), learned};
}

}  // namespace

std::vector<text::Prompt> read_prompts(const std::vector<std::string>& prompts, const RenderSettings& settings) {
  std::vector<text::Prompt> read;
  for (const auto& prompt : prompts) {
    read.push_back(settings.prompt_syntax == "plain" ? text::plain_prompt(prompt) : text::parse_prompt(prompt));
  }
  return read;
}

ClipText::ClipText(const Network& network, std::shared_ptr<const text::Tokenizer> tokenizer)
    : network_(&network),
      keys_(clip::text_towers(network.file()->tensors()).at(static_cast<size_t>(network.part.index))),
      config_(clip::text_config(*network.file(), keys_, network.part.config)),
      tokenizer_(std::move(tokenizer)) {}

void ClipText::learn(const std::vector<weights::TextualInversion>& embeddings, const std::string& encoder) {
  if (embeddings.empty()) return;
  std::vector<at::Tensor> vectors;
  int64_t id = config_.vocab_size;
  for (const auto& embedding : embeddings) {
    vectors.push_back(embedding.vectors_for(encoder, config_.hidden_size));  // [K, C]
    for (const auto& word : embedding.words()) words_.push_back({word, id, embedding.count()});
    id += embedding.count();
  }
  learned_ = at::cat(vectors);
  tokenizer_ = tokenizer_->with_words(words_);
}

std::vector<clip::PromptText> ClipText::encode(const std::vector<text::PromptTokens>& prompts, clip::Reader reader,
                                               int64_t clip_skip, const Compute& compute, Observer& observer) const {
  const clip::Readout readout = clip::readout(reader, clip_skip, config_);
  std::vector<clip::PromptText> encoded(prompts.size());
  with_fallback(compute, *network_, "text", observer, "", [&](const Compute& used) {
    const clip::TextModel model = clip::load_text(network_->file(), keys_, config_, used, network_->lora);
    for (size_t i = 0; i < prompts.size(); ++i) {
      encoded[i] = clip::encode_prompt(model, rows_of(prompts[i], learned_), readout);
      require_finite(encoded[i].states, "text");
      require_finite(encoded[i].pooled, "text");
    }
  });
  release_pages(*network_);
  return encoded;
}

std::vector<std::vector<text::PromptTokens>> chunked_for(const std::vector<const ClipText*>& encoders,
                                                         const std::vector<text::Prompt>& prompts) {
  std::vector<std::vector<text::PromptTokens>> tokens;
  size_t rows = 0;
  for (const ClipText* encoder : encoders) {
    const auto length = static_cast<size_t>(encoder->config().max_position_embeddings);
    auto& own = tokens.emplace_back();
    for (const auto& prompt : prompts) {
      text::require_known_embeddings(prompt, encoder->words());
      own.push_back(text::chunked_tokens(encoder->tokenizer(), prompt, {.length = length}));
      rows = std::max(rows, own.back().rows.size());
    }
  }
  for (size_t i = 0; i < encoders.size(); ++i) {
    for (auto& prompt : tokens[i]) text::add_empty_rows(prompt, encoders[i]->tokenizer(), rows);
  }
  return tokens;
}

T5Text::T5Text(const Network& network, std::shared_ptr<const text::Tokenizer> tokenizer)
    : network_(&network),
      config_(network.part.config.empty() ? t5::encoder_config_from_tensors(network.file()->tensors())
                                          : t5::encoder_config_from_json(read_json(network.part.config),
                                                                         printable(network.part.config.string(), 400))),
      tokenizer_(std::move(tokenizer)) {}

std::vector<EncodedPrompt> T5Text::encode(const std::vector<text::Prompt>& prompts, int64_t length,
                                          const Compute& compute, Observer& observer) const {
  std::vector<EncodedPrompt> encoded;
  std::vector<text::PromptTokens> tokens;
  for (const auto& prompt : prompts) {
    tokens.push_back(text::fixed_tokens(*tokenizer_, prompt, static_cast<size_t>(length)));
    encoded.push_back({{}, static_cast<int64_t>(tokens.back().rows[0].used), tokens.back().lost});
  }
  with_fallback(compute, *network_, "text", observer, "", [&](const Compute& used) {
    const t5::Encoder encoder = t5::load_encoder(network_->file(), config_, used, network_->lora);
    for (size_t i = 0; i < tokens.size(); ++i) {
      const clip::PromptRows rows = rows_of(tokens[i]);
      encoded[i].embedding.tokens = t5::encode_prompt(encoder, rows.ids, rows.weights);
      require_finite(encoded[i].embedding.tokens, "text");
    }
  });
  release_pages(*network_);
  return encoded;
}

}  // namespace keyflow::pipeline
