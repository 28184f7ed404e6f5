#pragma once
#include <ATen/core/Tensor.h>

#include <filesystem>
#include <string>
#include <vector>

namespace keyflow::weights {

/// Learned embeddings of one word (textual inversion, 2208.01618), out of a file of any of the customary layouts.
struct TextualInversion {
  struct Part {
    std::string encoder;  ///< "clip_l" or "clip_g" in files for two encoders; "" for the only one
    at::Tensor vectors;   ///< [K, width] as the file has them
  };
  std::filesystem::path path;
  std::string token;        ///< the word that a diffusers file names, "<cat>"; "" for others
  std::vector<Part> parts;  ///< all of one K

  int64_t count() const { return parts.front().vectors.size(0); }

  /// What stands for it in a prompt: the file's name without extension (A1111), "embedding:" and either form of that
  /// name (ComfyUI), and `token` (diffusers).
  std::vector<std::string> words() const;

  /// The vectors for one encoder.
  ///
  /// encoder  "clip_l", "clip_g" ...; a file for one encoder fits by width alone
  /// return   [K, width] float32
  /// throws   Error::weights when the file has none of this width
  at::Tensor vectors_for(const std::string& encoder, int64_t width) const;
};

/// Reads A1111's and the original pickle (string_to_param), kohya's safetensors (emb_params), diffusers' learned_embeds
/// (one tensor under its word), SDXL pairs (clip_l and clip_g, or text_encoders_0 and text_encoders_1), or a lone
/// tensor.
///
/// throws Error::weights for other contents, Error::io
/// source AUTOMATIC1111/stable-diffusion-webui: modules/textual_inversion/textual_inversion.py
///        create_embedding_from_data; diffusers@0.42.1: loaders/textual_inversion.py _retrieve_tokens_and_embeddings
TextualInversion read_textual_inversion(const std::filesystem::path& path);

}  // namespace keyflow::weights
