#include "media/output.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <vector>

#include "core/error.h"
#include "core/files.h"

namespace keyflow::media {
namespace {

struct Extension {
  std::string_view text;
  OutputFormat format;
};

constexpr std::array kExtensions = {
    Extension{".mp4", OutputFormat::mp4},   Extension{".mov", OutputFormat::mov},
    Extension{".mkv", OutputFormat::mkv},   Extension{".webm", OutputFormat::webm},
    Extension{".gif", OutputFormat::gif},   Extension{".webp", OutputFormat::webp},
    Extension{".apng", OutputFormat::apng}, Extension{".png", OutputFormat::png},
    Extension{".jpg", OutputFormat::jpeg},  Extension{".jpeg", OutputFormat::jpeg},
};

bool holds_one_picture(OutputFormat format) { return format == OutputFormat::png || format == OutputFormat::jpeg; }

OutputFormat format_of(const std::filesystem::path& path, const std::string& where) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); });
  std::vector<std::string> known;
  std::string list;
  for (const Extension& candidate : kExtensions) {
    if (extension == candidate.text) return candidate.format;
    known.emplace_back(candidate.text);
    list += " " + known.back();
  }
  const std::string near = nearest(extension, known);
  fail(ErrorKind::usage, where, ": expected an output that ends in one of", list, "; found ",
       extension.empty() ? "no ending" : printable(extension),
       near.empty() ? "" : "; hint: did you mean " + near + "?");
}

/// A frame number inside a file name: %d, or %0Nd with N from 1 to 9.
struct Pattern {
  size_t at, length, digits;
};

std::optional<Pattern> find_pattern(std::string_view name) {
  const size_t at = name.find('%');
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view rest = name.substr(at + 1);
  if (rest.starts_with('d')) return Pattern{at, 2, 1};
  if (rest.size() >= 3 && rest[0] == '0' && rest[1] >= '1' && rest[1] <= '9' && rest[2] == 'd') {
    return Pattern{at, 4, static_cast<size_t>(rest[1] - '0')};
  }
  return std::nullopt;
}

}  // namespace

std::filesystem::path Output::frame_path(int64_t index) const {
  const std::string name = path.filename().string();
  const auto pattern = find_pattern(name);
  if (!is_pattern || !pattern) return path;
  std::string number = std::to_string(index);
  if (number.size() < pattern->digits) number.insert(0, pattern->digits - number.size(), '0');
  return path.parent_path() / (name.substr(0, pattern->at) + number + name.substr(pattern->at + pattern->length));
}

Output parse_output(const std::filesystem::path& path, int64_t frames) {
  const std::string where = printable(path.string(), 400);
  const std::string name = path.filename().string();
  Output output{.format = format_of(path, where), .path = path};
  const auto pattern = find_pattern(name);
  const bool has_percent = name.find('%') != std::string::npos;
  const bool fits = !has_percent || (pattern && name.find('%', pattern->at + 1) == std::string::npos);
  require(fits, ErrorKind::usage, where, ": expected a % in the file name to be one frame number like %04d, found \"",
          printable(name), "\"");
  const bool one_picture = holds_one_picture(output.format);
  require(!has_percent || one_picture, ErrorKind::usage, where,
          ": expected a frame number (%04d) only with .png or .jpg");
  output.is_pattern = has_percent;
  require(frames <= 1 || !one_picture || output.is_pattern, ErrorKind::usage, where, ": expected one frame for a ",
          path.extension().string(), " file, found ", frames, "; hint: a frame number in the name, ",
          path.stem().string(), "_%04d", path.extension().string());
  return output;
}

void require_crf(const Output& output, int64_t crf) {
  const std::string where = printable(output.path.string(), 400);
  const bool is_video = output.format == OutputFormat::mp4 || output.format == OutputFormat::mov ||
                        output.format == OutputFormat::mkv || output.format == OutputFormat::webm;
  const int max_crf = output.format == OutputFormat::webm ? 63 : 51;
  require(crf == -1 || is_video, ErrorKind::usage, where,
          ": expected --crf only with .mp4, .mov, .mkv and .webm, found ", crf);
  require(crf >= -1 && crf <= max_crf, ErrorKind::usage, where, ": expected --crf from 0 to ", max_crf, ", found ",
          crf);
}

void require_output(const std::filesystem::path& path, int64_t frames, int64_t crf) {
  require_crf(parse_output(path, frames), crf);
  require_writable(parse_output(path, frames).frame_path(std::max<int64_t>(frames - 1, 0)));
}

}  // namespace keyflow::media
