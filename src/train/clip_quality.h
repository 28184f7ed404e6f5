#pragma once
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace keyflow::train {

struct ClipQuality {
  double vae_psnr = 0;          ///< reconstruction of unseen clips, mean dB
  double vae_flicker = 0;       ///< change of a frame's mean error to the next frame, share of the mean error
  double first_psnr = 0;        ///< first generated frame against the first keyframe, median dB
  double last_psnr = 0;         ///< the last against the last
  double middle_psnr = 0;       ///< generated frames between against the real ones, median dB
  double cross_fade_psnr = 0;   ///< a cross-fade of the keyframes against the real ones, median dB
  double gradient_energy = 0;   ///< of the middle frames, share of the real ones', median
  double motion_energy = 0;     ///< the same of frame-to-frame changes
  double pinned_psnr = 0;       ///< a keyframe pinned at frame 5, 8 or 11 against itself, median dB
  double seconds_per_clip = 0;  ///< a first/last-frame render, start to end
  int64_t clips = 0;
};

struct QualityOptions {
  std::string model = "mini";
  std::filesystem::path data;  ///< a file of `keyflow train prepare`
  int64_t clips = 50;          ///< unseen ones, at most
  int64_t steps = 0;           ///< 0: the model's own
  uint64_t seed = 42;
};

/// Renders unseen clips from their first and last frame and their name, and compares with the real frames.
/// Throws Error::config when no clip was kept aside.
ClipQuality clip_quality(const QualityOptions& options, const std::function<void(int64_t, int64_t)>& progress);

}  // namespace keyflow::train
