#pragma once
#include <filesystem>
#include <functional>
#include <regex>
#include <string>
#include <vector>

#include "weights/tensor_file.h"

namespace keyflow::weights {

/// A type that tensors can be converted to: plain, or packed where `format` is set.
struct TargetType {
  at::ScalarType dtype = at::kFloat;
  BlockFormat format = BlockFormat::none;
};

/// "fp32", "fp16", "bf16", "q8_0" ...: all that target_type reads.
std::vector<std::string> target_type_names();
/// throws Error::usage with the known names
TargetType target_type(const std::string& name);

/// Tensors whose name holds a match of `pattern` (ECMAScript) become `type`.
struct ConvertRule {
  std::regex pattern;
  TargetType type;
};
/// "attn=q8_0": all up to the last = is the pattern. throws Error::usage
ConvertRule convert_rule(const std::string& text);

enum class OutputFormat { safetensors, gguf };
/// By the ending: .safetensors, .sft or .gguf. throws Error::usage
OutputFormat output_format(const std::filesystem::path& path);

struct ConvertOptions {
  TargetType type;
  std::vector<ConvertRule> rules;  ///< the first that matches counts
  OutputFormat format = OutputFormat::safetensors;
  std::string architecture;  ///< general.architecture of a GGUF file; "" keeps the file's
};

/// What becomes of a tensor.
struct Conversion {
  TensorInfo from, to;
  std::string reason;  ///< why it does not become options.type; "" where it does
};

/// Floats become options.type, or what a rule says. Where that is packed, these keep the float type they have (float32
/// if it is none that GGUF has): tensors with fewer than two dimensions or 1024 values, norms, embeddings and the first
/// and last layers by their names, and, unless a rule says so or the architecture is sd1 or sdxl, whose files are
/// customarily so, tensors whose rows do not fill blocks. Tensors that are no floats stay as they are.
///
/// throws Error::weights listing every tensor that the output cannot hold
std::vector<Conversion> plan_conversion(const TensorFile& file, const ConvertOptions& options);

/// Writes the converted file, one tensor in memory at a time; blocks that stay as they are are copied bit for bit.
/// `progress` is told before each tensor; what it throws ends the conversion and leaves nothing.
///
/// throws Error::io; Error::numeric for values that the type cannot hold (NaN in blocks, beyond 65504 in float16)
void convert(const TensorFile& file, const std::filesystem::path& path, const std::vector<Conversion>& plan,
             const ConvertOptions& options, const std::function<void(const Conversion&)>& progress = {});

}  // namespace keyflow::weights
