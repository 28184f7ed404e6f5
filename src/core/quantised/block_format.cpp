#include "core/quantised/block_format.h"

#include <array>

#include "core/error.h"

namespace keyflow {
namespace {

constexpr std::array kFloats{BlockLayout{BlockFormat::f8_e4m3, "fp8_e4m3", 1, 1},
                             BlockLayout{BlockFormat::f8_e5m2, "fp8_e5m2", 1, 1}};

}  // namespace

const std::vector<BlockLayout>& gguf_layouts() {
  // source ggml-org/llama.cpp gguf-py/gguf/constants.py GGML_QUANT_SIZES (gguf 0.19.0)
  static const std::vector<BlockLayout> list{
      {BlockFormat::q2_k, "q2_k", 256, 84},  {BlockFormat::q3_k, "q3_k", 256, 110},
      {BlockFormat::q4_k, "q4_k", 256, 144}, {BlockFormat::q4_0, "q4_0", 32, 18},
      {BlockFormat::q4_1, "q4_1", 32, 20},   {BlockFormat::q5_k, "q5_k", 256, 176},
      {BlockFormat::q5_0, "q5_0", 32, 22},   {BlockFormat::q5_1, "q5_1", 32, 24},
      {BlockFormat::q6_k, "q6_k", 256, 210}, {BlockFormat::q8_0, "q8_0", 32, 34}};
  return list;
}

const BlockLayout& layout_of(BlockFormat format) {
  for (const auto& layout : kFloats) {
    if (layout.format == format) return layout;
  }
  for (const auto& layout : gguf_layouts()) {
    if (layout.format == format) return layout;
  }
  fail(ErrorKind::internal, "blocks: no layout for format ", static_cast<int>(format));
}

std::optional<BlockFormat> block_format_from_name(std::string_view name) {
  for (const auto& layout : gguf_layouts()) {
    if (layout.name == name) return layout.format;
  }
  return std::nullopt;
}

BlockFormat block_format_of(at::ScalarType type) {
  if (type == at::kFloat8_e4m3fn) return BlockFormat::f8_e4m3;
  return type == at::kFloat8_e5m2 ? BlockFormat::f8_e5m2 : BlockFormat::none;
}

}  // namespace keyflow
