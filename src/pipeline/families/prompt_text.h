#pragma once
#include <memory>
#include <string>
#include <vector>

#include "models/clip/prompt.h"
#include "models/clip/text_keys.h"
#include "models/t5/config.h"
#include "pipeline/model.h"
#include "text/prompt_chunks.h"

// The text encoders of the image families, as their files lie in a model. Each is loaded for all prompts of a render
// and freed again.
namespace keyflow::pipeline {

/// The prompts with their weights, or the texts as they are with settings.prompt_syntax "plain".
std::vector<text::Prompt> read_prompts(const std::vector<std::string>& prompts, const RenderSettings& settings);

/// A CLIP text encoder.
class ClipText {
 public:
  ClipText() = default;
  ClipText(const Network& network, std::shared_ptr<const text::Tokenizer> tokenizer);

  /// Words that the prompts may use besides the vocabulary's.
  ///
  /// encoder  "clip_l" or "clip_g", for files with vectors for both
  /// throws   Error::weights for vectors of another width
  void learn(const std::vector<weights::TextualInversion>& embeddings, const std::string& encoder);

  const clip::TextConfig& config() const { return config_; }
  const text::Tokenizer& tokenizer() const { return *tokenizer_; }
  const std::vector<text::LearnedWord>& words() const { return words_; }

  /// rows  of each prompt; all prompts have equally many
  /// throws Error::numeric when an embedding is not finite
  std::vector<clip::PromptText> encode(const std::vector<text::PromptTokens>& prompts, clip::Reader reader,
                                       int64_t clip_skip, const Compute& compute, Observer& observer) const;

 private:
  const Network* network_ = nullptr;
  clip::TextKeys keys_;
  clip::TextConfig config_;
  std::shared_ptr<const text::Tokenizer> tokenizer_;
  std::vector<text::LearnedWord> words_;
  at::Tensor learned_;  // [K, C] of ids from vocab_size on
};

/// All prompts in rows of 77 for every encoder, equally many everywhere. [encoder][prompt]
std::vector<std::vector<text::PromptTokens>> chunked_for(const std::vector<const ClipText*>& encoders,
                                                         const std::vector<text::Prompt>& prompts);

/// The T5 encoder of SD3 and FLUX.
class T5Text {
 public:
  T5Text() = default;
  T5Text(const Network& network, std::shared_ptr<const text::Tokenizer> tokenizer);

  const t5::EncoderConfig& config() const { return config_; }

  /// length  tokens that each prompt is padded or cut to
  /// return  [1, length, d_model] and what was cut off
  std::vector<EncodedPrompt> encode(const std::vector<text::Prompt>& prompts, int64_t length, const Compute& compute,
                                    Observer& observer) const;

 private:
  const Network* network_ = nullptr;
  t5::EncoderConfig config_;
  std::shared_ptr<const text::Tokenizer> tokenizer_;
};

}  // namespace keyflow::pipeline
