#include "weights/convert.h"

#include <ATen/ops/isfinite.h>
#include <ATen/ops/isinf.h>

#include <array>

#include "core/error.h"
#include "core/quantised/block_pack.h"
#include "core/shape.h"
#include "weights/gguf_types.h"
#include "weights/tensor_writer.h"

namespace keyflow::weights {
namespace {

constexpr int64_t kFewValues = 1024;
constexpr float kMostHalf = 65504;

/// Parts of names of what is small, or is known to suffer: norms, embeddings and modulation tables in every family's
/// spellings, and the layers that inputs and outputs pass through.
constexpr std::array<std::string_view, 19> kDelicate{
    "norm",       "embed",    "modulation",   "scale_shift_table", "shared.weight", "token_embd",   "pos_",
    "position",   "img_in.",  "txt_in.",      "time_in.",          "vector_in.",    "guidance_in.", "context_in.",
    "label_emb.", "img_emb.", "final_layer.", "head.head.",        "class_emb"};

bool is_delicate(const std::string& name) {
  return std::any_of(kDelicate.begin(), kDelicate.end(),
                     [&](std::string_view part) { return name.find(part) != std::string::npos; });
}

TensorInfo as_type(const TensorInfo& from, const TargetType& type) {
  return {from.name, type.format == BlockFormat::none ? type.dtype : at::kFloat, from.shape, type.format};
}

bool holds(OutputFormat format, const TensorInfo& info) {
  return format == OutputFormat::gguf ? gguf_holds(info) : !info.packed();
}

/// The tensor as it is, or the nearest thing to it that the output has.
TensorInfo kept(const TensorInfo& from, OutputFormat format) {
  const bool plain = !from.packed() && block_format_of(from.dtype) != BlockFormat::none;
  return holds(format, from) && !plain ? from : as_type(from, {at::kFloat});
}

Conversion plan_tensor(const TensorInfo& from, const ConvertOptions& options) {
  if (!c10::isFloatingType(from.dtype)) return {from, from, "no float"};
  for (const auto& rule : options.rules) {
    if (std::regex_search(from.name, rule.pattern)) return {from, as_type(from, rule.type), "rule"};
  }
  const TensorInfo wanted = as_type(from, options.type);
  if (!wanted.packed()) return {from, wanted, ""};
  const int64_t block = layout_of(wanted.format).values;
  const auto keep = [&](std::string reason) { return Conversion{from, kept(from, options.format), std::move(reason)}; };
  if (from.shape.size() < 2 || from.numel() < kFewValues) return keep("small");
  if (is_delicate(from.name)) return keep("norm, embedding, first or last layer");
  const bool flattens = (options.architecture == "sd1" || options.architecture == "sdxl") && from.numel() % block == 0;
  if (from.shape.back() % block != 0 && !flattens) return keep(c10::str("rows do not fill blocks of ", block));
  return {from, wanted, ""};
}

[[noreturn]] void refuse_value(const TensorInfo& info, const char* what) {
  fail(ErrorKind::numeric, "tensor \"", printable(info.name), "\": ", what, ", which ", info.type_name(),
       " cannot hold; hint: give it another type by --rule");
}

at::Tensor packed(const TensorFile& file, const Conversion& step) {
  const auto blocks = file.blocks(step.from.name);
  if (blocks && blocks->format == step.to.format) return blocks->bytes;
  const at::Tensor values = file.read(step.from.name).to(at::kFloat);
  if (!at::isfinite(values).all().item<bool>()) refuse_value(step.to, "NaN or infinity");
  if (values.numel() > 0 && values.abs().max().item<float>() > kMostHalf) refuse_value(step.to, "values beyond 65504");
  return pack(values, step.to.format).bytes;
}

at::Tensor plain(const TensorFile& file, const Conversion& step) {
  const at::Tensor values = file.read(step.from.name);
  if (values.scalar_type() == step.to.dtype) return values;
  const at::Tensor made = values.to(at::kFloat).to(step.to.dtype);
  const bool narrower = step.to.dtype == at::kHalf || values.scalar_type() == at::kDouble;
  if (narrower && at::isinf(made).sum().item<int64_t>() != at::isinf(values.to(at::kDouble)).sum().item<int64_t>()) {
    refuse_value(step.to, "values beyond its range");
  }
  return made;
}

}  // namespace

std::vector<std::string> target_type_names() {
  std::vector<std::string> names{"fp32", "fp16", "bf16"};
  for (const auto& layout : gguf_layouts()) names.emplace_back(layout.name);
  return names;
}

TargetType target_type(const std::string& name) {
  // As sd-cli spells them.
  if (name == "fp32" || name == "f32") return {at::kFloat};
  if (name == "fp16" || name == "f16") return {at::kHalf};
  if (name == "bf16") return {at::kBFloat16};
  if (const auto format = block_format_from_name(name)) return {at::kFloat, *format};
  std::string all;
  for (const auto& known : target_type_names()) all += (all.empty() ? "" : ", ") + known;
  fail(ErrorKind::usage, "type: expected one of ", all, "; found \"", printable(name), "\"");
}

ConvertRule convert_rule(const std::string& text) {
  const size_t equals = text.rfind('=');
  require(equals != std::string::npos && equals > 0, ErrorKind::usage, "rule: expected REGEX=TYPE, found \"",
          printable(text), "\"");
  try {
    return {std::regex(text.substr(0, equals)), target_type(text.substr(equals + 1))};
  } catch (const std::regex_error&) {
    fail(ErrorKind::usage, "rule: \"", printable(text.substr(0, equals)), "\" is no regular expression");
  }
}

OutputFormat output_format(const std::filesystem::path& path) {
  const std::string ending = path.extension().string();
  if (ending == ".gguf") return OutputFormat::gguf;
  require(ending == ".safetensors" || ending == ".sft", ErrorKind::usage, printable(path.string(), 400),
          ": expected a name that ends in .safetensors, .sft or .gguf");
  return OutputFormat::safetensors;
}

std::vector<Conversion> plan_conversion(const TensorFile& file, const ConvertOptions& options) {
  std::vector<Conversion> plan;
  std::vector<std::string> misfits;
  for (const auto& info : file.tensors()) {
    plan.push_back(plan_tensor(info, options));
    const TensorInfo& to = plan.back().to;
    if (!holds(options.format, to)) {
      misfits.push_back(printable(to.name) + " " + to.type_name() + " " + shape_text(to.shape));
    }
  }
  if (misfits.empty()) return plan;
  throw Error(ErrorKind::weights,
              c10::str(printable(file.path().string(), 400), ": ", misfits.size(), " tensors that a ",
                       options.format == OutputFormat::gguf ? "GGUF" : "safetensors", " file cannot hold"),
              misfits);
}

void convert(const TensorFile& file, const std::filesystem::path& path, const std::vector<Conversion>& plan,
             const ConvertOptions& options, const std::function<void(const Conversion&)>& progress) {
  std::vector<TensorToWrite> tensors;
  for (const auto& step : plan) {
    tensors.push_back({step.to, [&file, &step, &progress] {
                         if (progress) progress(step);
                         return step.to.packed() ? packed(file, step) : plain(file, step);
                       }});
  }
  std::map<std::string, std::string> metadata = file.metadata();
  if (!options.architecture.empty()) metadata[std::string(kArchitectureKey)] = options.architecture;
  if (options.format == OutputFormat::gguf) {
    write_gguf(path, tensors, metadata);
  } else {
    metadata.erase(std::string(kArchitectureKey));
    write_safetensors(path, tensors, metadata);
  }
}

}  // namespace keyflow::weights
