#include "train/state.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/scalar_tensor.h>

#include "core/error.h"
#include "weights/tensor_file.h"

namespace keyflow::train {

void save_state(const std::filesystem::path& path, const NamedTensors& parameters, const AdamW& optimiser,
                int64_t stage, int64_t step) {
  NamedTensors all = optimiser.state();
  for (const auto& [name, tensor] : parameters) all.emplace_back("model." + name, tensor.detach());
  all.emplace_back("train.stage", at::scalar_tensor(stage, at::kLong));
  all.emplace_back("train.step", at::scalar_tensor(step, at::kLong));
  weights::save_safetensors(path, all);
}

int64_t load_state(const std::filesystem::path& path, const NamedTensors& parameters, AdamW& optimiser, int64_t stage) {
  if (!std::filesystem::exists(path)) return 0;
  const at::NoGradGuard no_grad;
  const auto file = weights::open_tensors(path);
  const bool same_stage = file->read("train.stage").item<int64_t>() == stage;
  NamedTensors saved;
  for (const auto& info : file->tensors()) saved.emplace_back(info.name, file->read(info.name));
  if (same_stage) optimiser.load_state(saved);
  for (const auto& [name, tensor] : parameters) {
    const std::string source = (same_stage ? "model." : "ema.") + name;
    const auto* info = file->find(source);
    require(info && at::IntArrayRef(info->shape) == tensor.sizes(), ErrorKind::weights, printable(path.string(), 400),
            ": ", source, " is missing or of another shape; hint: the state belongs to another configuration");
    at::Tensor(tensor).copy_(file->read(source));
  }
  if (!same_stage) optimiser.reset_ema();
  return same_stage ? file->read("train.step").item<int64_t>() : 0;
}

}  // namespace keyflow::train
