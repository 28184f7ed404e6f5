#pragma once
#include <cstdint>
#include <filesystem>
#include <string>

namespace keyflow::media {

/// What a file name asks for.
enum class OutputFormat { mp4, mov, mkv, webm, gif, webp, apng, png, jpeg };

/// The format named by the extension (any case) and, for png and jpeg, the frame-number pattern.
struct Output {
  OutputFormat format;
  bool is_pattern = false;     ///< the name holds %d or %0Nd: one file a frame, numbered from 0
  std::filesystem::path path;  ///< as given

  /// The file of frame `index`; `path` itself without a pattern. The name is never used as a format string.
  std::filesystem::path frame_path(int64_t index) const;
};

/// Reads an output name. Throws Error::usage: unknown extension, a % that is not one %d or %0Nd (N 1 to 9), a pattern
/// with another format than png and jpg, several frames for one png or jpg file.
Output parse_output(const std::filesystem::path& path, int64_t frames);

/// Throws Error::usage unless the format takes this quality: H.264 0 to 51, VP9 0 to 63, all of them -1 (unset).
void require_crf(const Output& output, int64_t crf);

/// All that can be known about an output before any work: parse_output, require_crf, then a trial of the folder
/// (exists, can be written, name not too long, not a folder). Throws Error::usage (exit 2) or Error::io (exit 1).
void require_output(const std::filesystem::path& path, int64_t frames, int64_t crf = -1);

}  // namespace keyflow::media
