#pragma once
#include <cstddef>
#include <filesystem>
#include <string>

namespace keyflow::media {

inline constexpr size_t kMaxSettingsBytes = size_t{1} << 20;

/// The settings JSON that a file written by keyflow carries: comment tag (mp4, mov, mkv, webm), iTXt chunk "keyflow"
/// (png, apng), comment block (gif), EXIF description (webp), comment segment (jpg). The text is foreign: parse and
/// check it before use.
///
/// throws  Error::io: no such text, larger than kMaxSettingsBytes, not a file of these kinds, damaged
std::string read_settings(const std::filesystem::path& path);

/// Throws Error::io when the settings are larger than kMaxSettingsBytes.
void require_settings_size(const std::string& settings_json, const std::string& where);

}  // namespace keyflow::media
