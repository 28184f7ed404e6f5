#include "apps/commands.h"
#include "apps/console.h"
#include "core/error.h"
#include "core/files.h"
#include "core/interrupt.h"
#include "core/shape.h"
#include "models/registry.h"
#include "weights/convert.h"

namespace keyflow::apps {
namespace {

using weights::Conversion;
using weights::TensorInfo;

bool holds(const std::vector<TensorInfo>& tensors, std::string_view part) {
  return std::any_of(tensors.begin(), tensors.end(),
                     [&](const TensorInfo& info) { return info.name.find(part) != std::string::npos; });
}

/// general.architecture as ComfyUI-GGUF calls the families; what it has no word for keeps ours. "" for other tensors.
std::string architecture_of(const std::vector<TensorInfo>& tensors) {
  const models::NetworkType* type = models::type_of(tensors);
  if (type == nullptr) return "";
  const std::string family(type->family);
  if (family == "sd") return holds(tensors, "label_emb.") || holds(tensors, "add_embedding.") ? "sdxl" : "sd1";
  return type->part == models::Part::vae ? family + "_vae" : family;
}

std::string summary_of(const std::vector<Conversion>& plan) {
  struct Count {
    size_t tensors = 0;
    uint64_t bytes = 0;
  };
  std::map<std::pair<std::string, std::string>, Count> counts;  // by type and reason
  uint64_t before = 0, after = 0;
  for (const auto& step : plan) {
    Count& count = counts[{step.to.type_name(), step.reason}];
    ++count.tensors;
    count.bytes += step.to.bytes();
    before += step.from.bytes();
    after += step.to.bytes();
  }
  std::string text;
  for (const auto& [key, count] : counts) {
    const auto& [type, reason] = key;
    text += c10::str("  ", type, " x ", count.tensors, "  ", bytes_text(count.bytes),
                     reason.empty() ? "" : "  (" + reason + ")", "\n");
  }
  return text + c10::str("  ", bytes_text(before), " -> ", bytes_text(after), "\n");
}

int run(const Arguments& arguments) {
  const std::filesystem::path from = arguments.operands()[0], to = arguments.operands()[1];
  weights::ConvertOptions options;
  options.format = weights::output_format(to);
  require(arguments.has("type"), ErrorKind::usage, "convert: --type: expected a type, found nothing");
  options.type = weights::target_type(arguments.text("type"));
  require(options.format == weights::OutputFormat::gguf || options.type.format == BlockFormat::none, ErrorKind::usage,
          "convert: --type ", arguments.text("type"), ": safetensors holds fp32, fp16 and bf16; hint: name the output ",
          printable(to.stem().string()), ".gguf");
  for (const auto& text : arguments.list("rule")) options.rules.push_back(weights::convert_rule(text));
  require_writable(to);
  const auto file = weights::open_tensors(from);
  options.architecture = architecture_of(file->tensors());
  const auto plan = weights::plan_conversion(*file, options);
  size_t done = 0;
  weights::convert(*file, to, plan, options, [&](const Conversion& step) {
    throw_if_interrupted();
    if (done++ % 100 == 0)
      note(c10::str(done - 1, " of ", plan.size(), " tensors, now ", printable(step.to.name), "\n"));
  });
  print(printable(to.string(), 400) + "\n" + summary_of(plan));
  return 0;
}

}  // namespace

Command convert_command() {
  Command command;
  command.name = "convert";
  command.summary = "Write a checkpoint as safetensors or GGUF, in another type";
  command.operands = "IN OUT";
  command.least_operands = command.most_operands = 2;
  command.groups = {
      {"Options",
       {{"--type", "TYPE", "Of the weights; norms, embeddings and small tensors are not packed",
         weights::target_type_names()},
        {"--rule", "REGEX=TYPE", "Type of the tensors whose names match, the first rule that does counts", {}, true}}}};
  command.example = "keyflow convert wan2.1_bf16.safetensors wan2.1-q8_0.gguf --type q8_0";
  command.run = run;
  return command;
}

}  // namespace keyflow::apps
