#pragma once
#include <string>
#include <vector>

#include "weights/plan.h"

namespace keyflow::clip {

/// The spelling of a text encoder's names in a file. The model itself speaks transformers' (huggingface).
enum class TextSpelling { huggingface, openclip };
std::string_view name_of(TextSpelling spelling);

/// How one file names the tensors of one text encoder.
struct TextKeys {
  TextSpelling spelling = TextSpelling::huggingface;
  /// Before "embeddings.": none in transformers 5, "text_model." in transformers 4,
  /// "cond_stage_model.transformer.text_model." in a file that holds a whole pipeline ...
  std::string prefix;
  /// Layers at the end that the family never runs: its publisher's programs stop at the penultimate one.
  int64_t unused_layers = 0;

  /// `prefix` less "text_model.": what all tensors of the encoder begin with, the projection's too.
  std::string root() const;
  /// Model name -> file name; OpenCLIP stacks query, key and value, and turns the projection.
  weights::Rename rename() const;
  /// Tensors that an encoder of this many layers rightly leaves alone. Inside a whole pipeline's file, and only there,
  /// the other parts' are among them.
  weights::Ignore ignore(int64_t layers) const;
};

/// The text encoders of a file, CLIP-L before bigG: one for a part's own file, two for SDXL and SD3 in one
/// file, none where the names show none.
std::vector<TextKeys> text_towers(const std::vector<weights::TensorInfo>& tensors);

/// "encoder.layers.3.self_attn.k_proj.bias" -> part 1 of 3 of "transformer.resblocks.3.attn.in_proj_bias"
weights::FileName to_openclip_name(const std::string& name);

}  // namespace keyflow::clip
