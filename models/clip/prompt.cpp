#include "models/clip/prompt.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/where.h>

#include "core/shape.h"

namespace keyflow::clip {

Readout readout(Reader reader, int64_t clip_skip, const TextConfig& config) {
  const bool last = reader == Reader::sd1, penultimate = reader == Reader::sdxl || reader == Reader::sd3;
  // SD 2's config leaves out the layer that nobody runs.
  const int64_t left_out = reader == Reader::sd2 ? 1 : 0, habit = penultimate ? 2 : 1 + left_out;
  const int64_t most = config.num_hidden_layers + left_out;
  require(clip_skip == 0 || (clip_skip > left_out && clip_skip <= most), ErrorKind::usage,
          "clip skip: expected 0 (as trained) or ", left_out + 1, " to ", most, ", found ", clip_skip);
  return {.layer = (clip_skip == 0 ? habit : clip_skip) - left_out,
          .final_norm = last || reader == Reader::sd2,
          .projected = penultimate};
}

at::Tensor chosen_state(const TextModel& model, const std::vector<at::Tensor>& states, const Readout& readout) {
  const auto count = static_cast<int64_t>(states.size());
  require(readout.layer >= 1 && readout.layer <= count, ErrorKind::usage, "text encoder: expected layer 1 to ", count,
          " from the end, found ", readout.layer);
  const at::Tensor& state = states[static_cast<size_t>(count - readout.layer)];  // [n, L, C]
  return readout.final_norm ? model.final_norm(state) : state;
}

at::Tensor apply_weights(const at::Tensor& states, const at::Tensor& weights) {
  const auto [n, L, C] = dims<3>(states, "text states");
  require_shape(weights, {n, L}, "token weights");
  const at::Tensor factors = weights.to(states.device(), at::kFloat);                // [n, L]
  const at::Tensor weighted = states * factors.unsqueeze(2);                         // [n, L, C]
  const at::Tensor ratio = states.mean({1, 2}, true) / weighted.mean({1, 2}, true);  // [n, 1, 1]
  const at::Tensor plain = (factors == 1).all(1, true).unsqueeze(2);                 // [n, 1, 1]
  // A row whose mean vanishes has no scale to restore.
  const at::Tensor scale = at::where(ratio.isfinite(), ratio, at::ones_like(ratio));  // [n, 1, 1]
  return at::where(plain, states, weighted * scale);
}

PromptText encode_prompt(const TextModel& model, const PromptRows& rows, const Readout& readout) {
  const auto [n, L] = dims<2>(rows.ids, "token ids");
  const auto states = model.hidden_states(rows.ids, rows.extra);
  at::Tensor text = chosen_state(model, states, readout);  // [n, L, C]
  if (rows.weights.defined()) text = apply_weights(text, rows.weights);
  const at::Tensor pooled = model.pool(states.back().narrow(0, 0, 1), rows.ids.narrow(0, 0, 1));  // [1, C]
  return {text.reshape({1, n * L, text.size(2)}), readout.projected ? model.project(pooled) : pooled};
}

}  // namespace keyflow::clip
