#pragma once
#include <filesystem>
#include <memory>
#include <string>

#include "media/libav.h"
#include "media/video_reader.h"

struct AVFormatContext;

namespace keyflow::media {

struct InputClose {
  void operator()(AVFormatContext* input) const;
};
using InputPtr = std::unique_ptr<AVFormatContext, InputClose>;

/// Opens the file with the named demuxer and the file protocol alone. Throws Error::io.
InputPtr open_input(const std::filesystem::path& path, const std::string& demuxer);

/// The first video stream of the file as a reader.
std::unique_ptr<VideoReader> open_libav_video(const std::filesystem::path& path, const std::string& demuxer);

}  // namespace keyflow::media
