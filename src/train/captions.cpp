#include "train/captions.h"

#include <algorithm>

#include "core/error.h"
#include "core/files.h"

namespace keyflow::train {
namespace {

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(separator, begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

}  // namespace

std::vector<std::string> Caption::wordings(size_t count) const {
  std::vector<std::string> list{name, "a 3D emoji of " + name};
  std::string words;
  for (const auto& keyword : keywords) {
    if (keyword != name && !keyword.empty()) words += (words.empty() ? "" : ", ") + keyword;
  }
  if (!words.empty()) {
    list.push_back(name + ", " + words);
    list.push_back(words);
  }
  for (size_t i = 0; list.size() < count; ++i) list.push_back(list[i]);
  list.resize(count);
  return list;
}

std::vector<Caption> read_captions(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "captions.tsv";
  const std::string where = printable(path.string(), 400);
  std::vector<std::string> lines = split(read_file(path, 64u << 20), '\n');
  const std::vector<std::string> header = split(lines.front(), '\t');
  const auto column = [&](const char* name) {
    return static_cast<size_t>(std::find(header.begin(), header.end(), name) - header.begin());
  };
  const size_t file = column("file"), name = column("name"), keywords = column("keywords"), group = column("group");
  require(file < header.size() && name < header.size(), ErrorKind::config, where,
          ": line 1: expected tab-separated columns with \"file\" and \"name\", found ", printable(lines.front()));
  std::vector<Caption> captions;
  for (size_t i = 1; i < lines.size(); ++i) {
    std::string& line = lines[i];
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.empty()) continue;
    const std::vector<std::string> fields = split(line, '\t');
    require(fields.size() == header.size(), ErrorKind::config, where, ": line ", i + 1, ": expected ", header.size(),
            " fields, found ", fields.size());
    const std::filesystem::path picture = fields[file];
    const bool leaves = std::any_of(picture.begin(), picture.end(), [](const auto& part) { return part == ".."; });
    require(!picture.empty() && picture.is_relative() && !leaves, ErrorKind::config, where, ": line ", i + 1,
            ": expected a file inside the folder, found ", printable(fields[file]));
    Caption caption{folder / picture, fields[name], {}, group < fields.size() ? fields[group] : ""};
    if (keywords < fields.size()) caption.keywords = split(fields[keywords], ',');
    captions.push_back(std::move(caption));
  }
  require(!captions.empty(), ErrorKind::config, where, ": expected at least one line under the header, found none");
  return captions;
}

}  // namespace keyflow::train
