#include "weights/dtype_names.h"

#include <array>
#include <utility>

namespace keyflow::weights {
namespace {

constexpr std::array<std::pair<std::string_view, at::ScalarType>, 19> kNames = {{
    {"BOOL", at::kBool},
    {"U8", at::kByte},
    {"I8", at::kChar},
    {"F8_E4M3", at::kFloat8_e4m3fn},
    {"F8_E5M2", at::kFloat8_e5m2},
    {"F8_E8M0", at::kFloat8_e8m0fnu},
    {"F8_E4M3FNUZ", at::kFloat8_e4m3fnuz},
    {"F8_E5M2FNUZ", at::kFloat8_e5m2fnuz},
    {"I16", at::kShort},
    {"U16", at::kUInt16},
    {"F16", at::kHalf},
    {"BF16", at::kBFloat16},
    {"I32", at::kInt},
    {"U32", at::kUInt32},
    {"F32", at::kFloat},
    {"F64", at::kDouble},
    {"I64", at::kLong},
    {"U64", at::kUInt64},
    {"C64", at::kComplexFloat},
}};

}  // namespace

std::optional<at::ScalarType> dtype_from_safetensors(std::string_view name) {
  for (const auto& [text, type] : kNames) {
    if (text == name) return type;
  }
  return std::nullopt;
}

std::string safetensors_name(at::ScalarType type) {
  for (const auto& [text, known] : kNames) {
    if (known == type) return std::string(text);
  }
  return "";
}

std::string safetensors_names() {
  std::string list;
  for (const auto& [text, type] : kNames) list += (list.empty() ? "" : ", ") + std::string(text);
  return list;
}

}  // namespace keyflow::weights
