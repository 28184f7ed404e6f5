#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace keyflow::media {

/// FFmpeg's name of the demuxer for a video file ("mov", "matroska", "avi"), told by its first bytes; nothing for
/// other files. Named demuxers keep playlists and the like from being opened.
std::optional<std::string> sniff_container(std::string_view bytes);

/// Throws Error::io when the outermost parts of the file claim more bytes than it has: FFmpeg plays such a file up to
/// the cut without a word. A matroska or AVI file of unknown length passes.
void require_whole_container(std::string_view bytes, const std::string& demuxer, const std::string& where);

}  // namespace keyflow::media
