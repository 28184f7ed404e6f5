#include "media/settings.h"

extern "C" {
#include <libavformat/avformat.h>
}

#include "core/error.h"
#include "core/files.h"
#include "media/libav_input.h"
#include "media/picture_header.h"
#include "media/video_container.h"

namespace keyflow::media {
namespace {

std::string video_comment(const std::filesystem::path& path, const std::string& demuxer) {
  const InputPtr input = open_input(path, demuxer);
  const AVDictionaryEntry* comment = av_dict_get(input->metadata, "comment", nullptr, 0);
  return comment ? comment->value : "";
}

}  // namespace

void require_settings_size(const std::string& settings_json, const std::string& where) {
  require(settings_json.size() <= kMaxSettingsBytes, ErrorKind::io, where, ": expected at most ", kMaxSettingsBytes,
          " bytes of settings, found ", settings_json.size());
}

std::string read_settings(const std::filesystem::path& path) {
  const std::string where = printable(path.string(), 400);
  const auto file = MappedFile::open(path);
  const std::string_view bytes(reinterpret_cast<const char*>(file->data()), file->size());
  const auto demuxer = sniff_container(bytes);
  const std::string settings = demuxer ? video_comment(path, *demuxer) : scan_picture(bytes, where).settings;
  require(settings.starts_with('{'), ErrorKind::io, where, ": expected the settings of keyflow in it, found ",
          settings.empty() ? "none" : "another comment");
  require_settings_size(settings, where);
  return settings;
}

}  // namespace keyflow::media
