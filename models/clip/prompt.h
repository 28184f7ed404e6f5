#pragma once
#include <ATen/core/Tensor.h>

#include "models/clip/text.h"

// What diffusion models read from a text encoder. A prompt comes as rows of token ids, each a run of the encoder of its
// own ("chunks"); the results stand one after the other along the tokens.
namespace keyflow::clip {

/// The habits of the diffusion models that are trained with this encoder.
enum class Reader {
  sd1,   ///< last layer, after the final norm
  sd2,   ///< penultimate layer of the published network, after the final norm
  sdxl,  ///< penultimate layer, no norm; pooled text projected (where the encoder has a projection)
  sd3,   ///< as sdxl
  flux,  ///< pooled text only, without projection
};

/// Which state is the text, and whether the pooled text is projected.
struct Readout {
  int64_t layer = 1;  ///< counted from the end: 1 the last, num_hidden_layers the first, one more the embeddings
  bool final_norm = true;
  bool projected = false;
};

/// The readout of a family.
///
/// clip_skip  0: the family's habit; k as A1111 counts: 1 the last layer of the published network, 2 the penultimate
/// ...
///            Published encoders of SD 2 have one layer more than the config, whose last one is therefore 2.
///            (diffusers counts from the habit: its c is c + 1 here for SD 1, c + 2 for the others.)
/// throws     Error::usage for a layer that the encoder does not have
/// source     AUTOMATIC1111/stable-diffusion-webui: modules/sd_hijack_clip.py@00e0938 encode_with_transformers,
///            modules/sd_hijack_open_clip.py@01a40c6; diffusers@0.42.1: encode_prompt of the pipelines
Readout readout(Reader reader, int64_t clip_skip, const TextConfig& config);

/// The tokens of a prompt for one encoder.
struct PromptRows {
  at::Tensor ids;      ///< [n, L] int64, an end token in each row
  at::Tensor weights;  ///< [n, L], any float; undefined for ones
  at::Tensor extra;    ///< [K, C]: learned embeddings of ids from vocab_size on; undefined for none
};

struct PromptText {
  at::Tensor states;  ///< [1, n * L, C] float32
  at::Tensor pooled;  ///< [1, C or projection_dim] float32, of the first row; attention weights do not touch it
};

/// A prompt as a diffusion model reads it.
///
/// throws Error::shape; Error::usage as TextModel has it
PromptText encode_prompt(const TextModel& model, const PromptRows& rows, const Readout& readout);

/// The chosen state of each row, without weights: [n, L, C] -> the same.
///
/// states  hidden_states() of the rows
at::Tensor chosen_state(const TextModel& model, const std::vector<at::Tensor>& states, const Readout& readout);

/// Attention weights: each token's state times its weight, then each row scaled so that its mean is what it was. Rows
/// whose weights are all one stay bit for bit.
///
/// states   [n, L, C] float32
/// weights  [n, L], any float
/// source   AUTOMATIC1111/stable-diffusion-webui: modules/sd_emphasis.py@255da37 EmphasisOriginal, its default
at::Tensor apply_weights(const at::Tensor& states, const at::Tensor& weights);

}  // namespace keyflow::clip
