#include "pipeline/text_phase.h"

#include <c10/core/InferenceMode.h>

namespace keyflow::pipeline {

EncodedPrompt encode_prompt(const RenderSettings& settings, Observer& observer) {
  const c10::InferenceMode no_gradients;
  const auto model = open_model(settings, Need::text);
  const Compute compute = settings.dtype == "auto" ? machine_compute() : compute_from_text(settings.dtype);
  observer.progress(Phase::text, 0, 1);
  EncodedPrompt encoded = std::move(model->encode_prompts({settings.prompt}, settings, compute, observer)[0]);
  observer.progress(Phase::text, 1, 1);
  return encoded;
}

}  // namespace keyflow::pipeline
