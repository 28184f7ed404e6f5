#pragma once
#include <string>
#include <vector>

#include "weights/plan.h"

namespace keyflow::autoencoder_kl {

/// The spellings of the autoencoder's names. The model itself speaks diffusers' of today; before version 0.13 the
/// attention's layers were called query, key, value and proj_attn. `ldm` is the publishers' own (latent-diffusion, SGM,
/// SAI's and BFL's files).
enum class Spelling { diffusers, old_diffusers, ldm };
std::string_view name_of(Spelling spelling);

/// How one file names the tensors: by which spelling, behind which prefix ("first_stage_model." in a file that holds a
/// whole pipeline), and in how many levels, for LDM counts the decoder's from the other end.
struct AutoencoderKeys {
  Spelling spelling = Spelling::diffusers;
  std::string prefix;
  int64_t levels = 0;

  /// Model name -> file name.
  weights::Rename rename() const;
  /// Tensors of the file that the model rightly leaves alone: behind another prefix, and the training loss's.
  weights::Ignore ignore() const;
};

/// What the names of a file show; diffusers' without prefix and levels where they show nothing.
AutoencoderKeys autoencoder_keys(const std::vector<weights::TensorInfo>& tensors);

/// "decoder.up_blocks.0.resnets.2.conv_shortcut.bias" -> "decoder.up.3.block.2.nin_shortcut.bias" of four levels
std::string to_ldm_name(const std::string& name, int64_t levels);

}  // namespace keyflow::autoencoder_kl
