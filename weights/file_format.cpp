#include "weights/file_format.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "core/error.h"
#include "weights/ncnn_param.h"

namespace keyflow::weights {
namespace {

using namespace std::string_view_literals;

std::string_view as_text(std::span<const uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string_view without_space(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t\r\n");
  return begin == text.npos ? "" : text.substr(begin);
}

bool starts_with_any_case(std::string_view text, std::string_view lower) {
  return text.size() >= lower.size() && std::equal(lower.begin(), lower.end(), text.begin(), [](char a, char b) {
           return a == (b >= 'A' && b <= 'Z' ? b + 32 : b);
         });
}

bool is_html(std::string_view text) {
  text = without_space(text);
  return starts_with_any_case(text, "<!doctype html") || starts_with_any_case(text, "<html");
}

/// 8 bytes of length, then JSON: told by the length being a plausible one, or by the brace behind it.
bool is_safetensors(std::string_view text) {
  if (text.size() < 9) return true;
  const bool below_4_gib = text.substr(4, 4) == "\0\0\0\0"sv;
  return below_4_gib || text[8] == '{';
}

}  // namespace

FileFormat format_of(std::span<const uint8_t> bytes) {
  const std::string_view text = as_text(bytes);
  if (text.starts_with("PK\3\4") || text.starts_with("PK\5\6")) return FileFormat::zip;
  if (text.size() >= 4 && text[0] == '\x80' && text[1] >= 2 && text[1] <= 5 && text.substr(4, 4) != "\0\0\0\0"sv) {
    return FileFormat::pickle;
  }
  // Either half of a pair: the text, or a block of half-precision weights.
  if (is_ncnn_param(text) || text.starts_with("\x47\x6B\x30\x01")) return FileFormat::ncnn;
  if (text.starts_with("GGUF")) return FileFormat::gguf;
  if (!describe_foreign(bytes).words.empty()) return FileFormat::other;
  const std::string_view start = without_space(text.substr(0, 8));
  if (start.starts_with('{') && text.substr(0, 8).find('\0') == text.npos) return FileFormat::index;
  return is_safetensors(text) ? FileFormat::safetensors : FileFormat::other;
}

Foreign describe_foreign(std::span<const uint8_t> bytes) {
  const std::string_view text = as_text(bytes);
  if (text.starts_with("version https://git-lfs")) {
    const auto at = text.find("\nsize ");
    const auto size = at == text.npos ? "?"sv : text.substr(at + 6, text.find('\n', at + 6) - at - 6);
    return {c10::str("a Git LFS pointer of ", bytes.size(), " bytes to a file of ", printable(size),
                     "; hint: git lfs pull")};
  }
  if (text.size() > 262 && text.substr(257, 5) == "ustar") return {"tar (torch.save before version 0.1.10)", true};
  if (text.starts_with("\x89HDF")) return {"HDF5", true};
  if (text.starts_with("\x93NUMPY")) return {"NumPy", true};
  if (text.starts_with("\x89PNG")) return {"a PNG picture"};
  if (text.starts_with("\xFF\xD8\xFF")) return {"a JPEG picture"};
  if (text.starts_with("GIF8")) return {"a GIF picture"};
  if (text.starts_with("RIFF")) return {"a WebP picture or another RIFF file"};
  if (text.starts_with("%PDF")) return {"PDF"};
  if (text.starts_with("\x7F"
                       "ELF"))
    return {"a program"};
  if (text.starts_with("\x1F\x8B")) return {"gzip"};
  if (text.starts_with("7z\xBC\xAF")) return {"7z"};
  if (text.starts_with("Rar!")) return {"RAR"};
  if (is_html(text))
    return {c10::str("HTML; hint: a download link that answered with a page (", bytes.size(), " bytes read)")};
  return {};
}

}  // namespace keyflow::weights
