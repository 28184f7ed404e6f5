#include "weights/gguf_types.h"

#include <array>

namespace keyflow::weights {
namespace {

constexpr std::array kTypes{
    GgufType{0, "F32", at::kFloat},
    GgufType{1, "F16", at::kHalf},
    GgufType{2, "Q4_0", at::kFloat, BlockFormat::q4_0},
    GgufType{3, "Q4_1", at::kFloat, BlockFormat::q4_1},
    GgufType{6, "Q5_0", at::kFloat, BlockFormat::q5_0},
    GgufType{7, "Q5_1", at::kFloat, BlockFormat::q5_1},
    GgufType{8, "Q8_0", at::kFloat, BlockFormat::q8_0},
    GgufType{9, "Q8_1", at::kFloat, BlockFormat::none, false},
    GgufType{10, "Q2_K", at::kFloat, BlockFormat::q2_k},
    GgufType{11, "Q3_K", at::kFloat, BlockFormat::q3_k},
    GgufType{12, "Q4_K", at::kFloat, BlockFormat::q4_k},
    GgufType{13, "Q5_K", at::kFloat, BlockFormat::q5_k},
    GgufType{14, "Q6_K", at::kFloat, BlockFormat::q6_k},
    GgufType{15, "Q8_K", at::kFloat, BlockFormat::none, false},
    GgufType{16, "IQ2_XXS", at::kFloat, BlockFormat::none, false},
    GgufType{17, "IQ2_XS", at::kFloat, BlockFormat::none, false},
    GgufType{18, "IQ3_XXS", at::kFloat, BlockFormat::none, false},
    GgufType{19, "IQ1_S", at::kFloat, BlockFormat::none, false},
    GgufType{20, "IQ4_NL", at::kFloat, BlockFormat::none, false},
    GgufType{21, "IQ3_S", at::kFloat, BlockFormat::none, false},
    GgufType{22, "IQ2_S", at::kFloat, BlockFormat::none, false},
    GgufType{23, "IQ4_XS", at::kFloat, BlockFormat::none, false},
    GgufType{24, "I8", at::kChar},
    GgufType{25, "I16", at::kShort},
    GgufType{26, "I32", at::kInt},
    GgufType{27, "I64", at::kLong},
    GgufType{28, "F64", at::kDouble},
    GgufType{29, "IQ1_M", at::kFloat, BlockFormat::none, false},
    GgufType{30, "BF16", at::kBFloat16},
    GgufType{34, "TQ1_0", at::kFloat, BlockFormat::none, false},
    GgufType{35, "TQ2_0", at::kFloat, BlockFormat::none, false},
    GgufType{39, "MXFP4", at::kFloat, BlockFormat::none, false},
    GgufType{40, "NVFP4", at::kFloat, BlockFormat::none, false},
    GgufType{41, "Q1_0", at::kFloat, BlockFormat::none, false},
};

}  // namespace

const GgufType* gguf_type(uint32_t number) {
  for (const auto& type : kTypes) {
    if (type.number == number) return &type;
  }
  return nullptr;
}

const GgufType* gguf_type(at::ScalarType dtype, BlockFormat format) {
  for (const auto& type : kTypes) {
    if (type.readable && type.dtype == dtype && type.format == format) return &type;
  }
  return nullptr;
}

uint64_t value_bytes(uint32_t type) {
  switch (static_cast<GgufValue>(type)) {
    case GgufValue::u8:
    case GgufValue::i8:
    case GgufValue::boolean:
      return 1;
    case GgufValue::u16:
    case GgufValue::i16:
      return 2;
    case GgufValue::u32:
    case GgufValue::i32:
    case GgufValue::f32:
      return 4;
    case GgufValue::u64:
    case GgufValue::i64:
    case GgufValue::f64:
      return 8;
    default:
      return 0;
  }
}

}  // namespace keyflow::weights
