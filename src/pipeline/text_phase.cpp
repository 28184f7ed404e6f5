#include "pipeline/text_phase.h"

#include <ATen/ops/tensor.h>
#include <c10/core/InferenceMode.h>

#include "pipeline/precision.h"
#include "text/clean.h"

namespace keyflow::pipeline {

std::vector<EncodedPrompt> encode_prompts(const ModelFiles& model, const std::vector<std::string>& prompts,
                                          const Compute& compute, Observer& observer) {
  std::vector<EncodedPrompt> encoded;
  std::vector<at::Tensor> ids;  // [1, L] each
  for (const auto& prompt : prompts) {
    const text::Tokens tokens = model.tokenizer->encode(text::clean_prompt(prompt), model.transformer_config.text_len);
    ids.push_back(at::tensor(tokens.ids, at::kLong).unsqueeze(0));
    encoded.push_back({{}, static_cast<int64_t>(tokens.ids.size()), tokens.lost});
  }
  with_fallback(compute, model.text_encoder, "text", observer, "", [&](const Compute& used) {
    const t5::Encoder encoder = load_text_encoder(model, used);
    for (size_t i = 0; i < ids.size(); ++i) {
      encoded[i].embedding = encoder(ids[i]).to(at::kFloat);
      require_finite(encoded[i].embedding, "text");
    }
  });
  release_pages(model.text_encoder);
  return encoded;
}

EncodedPrompt encode_prompt(const RenderSettings& settings, Observer& observer) {
  const c10::InferenceMode no_gradients;
  const auto model = open_model(settings, Need::text);
  const Compute compute = settings.dtype == "auto" ? machine_compute() : compute_from_text(settings.dtype);
  observer.progress(Phase::text, 0, 1);
  EncodedPrompt encoded = std::move(encode_prompts(*model, {settings.prompt}, compute, observer)[0]);
  observer.progress(Phase::text, 1, 1);
  return encoded;
}

}  // namespace keyflow::pipeline
