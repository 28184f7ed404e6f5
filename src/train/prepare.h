#pragma once
#include <filesystem>
#include <vector>

namespace keyflow::train {

struct Preparation {
  std::vector<std::filesystem::path> folders;  ///< each with a captions.tsv and pictures, strips or videos
  std::filesystem::path output;                ///< data.safetensors and tokenizer/spiece.model are written there
  int64_t size = 128;                          ///< side of the square frames; other sizes are covered and cropped
  int64_t frames = 17;        ///< of a clip; longer videos are sampled evenly, shorter ones are refused
  int64_t validation = 50;    ///< clips kept aside, evenly spread over the sorted file names
  int64_t vocabulary = 2000;  ///< pieces at most
  int64_t text_len = 32;      ///< tokens of a caption, cut there
  int64_t wordings = 4;       ///< of each caption
};

struct Prepared {
  int64_t clips = 0, pictures = 0, validation = 0, pieces = 0;
};

/// Packs folders into what open_dataset() reads. A picture whose height is `frames` times its width is a strip of
/// frames, top to bottom; an animation or video is a clip; everything else is a still picture. Throws Error::config or
/// Error::io with the file.
Prepared prepare(const Preparation& options);

}  // namespace keyflow::train
