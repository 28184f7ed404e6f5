#pragma once
#include <ATen/core/Tensor.h>

#include <filesystem>
#include <string>
#include <vector>

namespace keyflow::train {

/// What `keyflow train prepare` packs into one safetensors file:
///   clips           [N, T, 3, H, W] uint8      pictures        [M, 3, H, W] uint8
///   clip_tokens     [N, V, L] int64            picture_tokens  [M, V, L] int64     V wordings of each caption, padded
///   by 0 validation      [K] int64                  clips never trained on
/// and, as metadata, "names": the captions, one a line, clips first, and "vocabulary": how many tokens there are.
struct Dataset {
  at::Tensor clips, pictures, clip_tokens, picture_tokens;
  std::vector<int64_t> training, validation;  ///< indexes of clips
  std::vector<std::string> names;
  int64_t vocabulary = 0;  ///< 0 where the file does not say

  int64_t frames() const { return clips.size(1); }
};

/// Maps the file; frames are read as they are used. Throws Error::weights when a tensor is missing or misshapen.
Dataset open_dataset(const std::filesystem::path& path);

/// uint8 [...] -> float32 in [-1, 1].
at::Tensor to_float(const at::Tensor& bytes);

}  // namespace keyflow::train
