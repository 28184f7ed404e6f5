#include <nlohmann/json.hpp>

#include "apps/commands.h"
#include "apps/console.h"
#include "core/data_folder.h"
#include "core/error.h"
#include "core/shape.h"
#include "pipeline/inspection.h"

namespace keyflow::apps {
namespace {

using nlohmann::ordered_json;
using pipeline::InspectedFile;
using pipeline::Inspection;

std::map<std::string, int64_t> dtypes(const InspectedFile& part) {
  std::map<std::string, int64_t> count;
  for (const auto& info : part.tensors) ++count[info.type_name()];
  return count;
}

void add_tensors(ordered_json& list, const std::vector<weights::TensorInfo>& tensors, const std::string& part) {
  for (const auto& info : tensors) {
    list.push_back({{"name", info.name}, {"dtype", info.type_name()}, {"shape", info.shape}, {"part", part}});
  }
}

ordered_json as_json(const std::string& path, const Inspection& inspection) {
  ordered_json json{{"path", path}, {"layout", inspection.layout}, {"family", inspection.family}};
  json["variant"] = inspection.variant;
  uint64_t parameters = 0, bytes = 0;
  ordered_json parts = ordered_json::array(), tensors = ordered_json::array(), missing = tensors, unexpected = tensors;
  ordered_json mismatched = tensors;
  for (const auto& part : inspection.parts) {
    const std::string kind = part.part_name();
    parts.push_back({{"part", kind},
                     {"path", part.file->path().string()},
                     {"format", part.file->format()},
                     {"family", part.family},
                     {"variant", part.variant},
                     {"dtypes", dtypes(part)},
                     {"tensors", part.tensors.size()},
                     {"parameters", part.parameters()},
                     {"bytes", part.bytes()},
                     {"metadata", part.file->metadata()}});
    parameters += part.parameters();
    bytes += part.bytes();
    add_tensors(tensors, part.tensors, kind);
    add_tensors(missing, part.missing, kind);
    add_tensors(unexpected, part.unexpected, kind);
    for (const auto& text : part.mismatched) mismatched.push_back(text);
  }
  json["parameters"] = parameters;
  json["bytes"] = bytes;
  if (const auto& need = inspection.memory) {
    json["memory_bytes"] = {
        {"text", need->text}, {"image", need->image}, {"denoise", need->denoise}, {"decode", need->decode}};
  }
  json["absent"] = inspection.absent;
  json["parts"] = parts;
  json["missing"] = missing;
  json["unexpected"] = unexpected;
  json["mismatched"] = mismatched;
  json["tensors"] = tensors;
  return json;
}

std::string head_of(const InspectedFile& part) {
  std::string types;
  for (const auto& [name, count] : dtypes(part)) types += c10::str(types.empty() ? "" : ", ", name, " x ", count);
  return c10::str(printable(part.file->path().string(), 400), "\n  network     ",
                  part.variant.empty() ? "unknown" : part.variant + " (" + part.part_name() + ")", "\n  format      ",
                  part.file->format(), "\n  tensors     ", part.tensors.size(), " (", types, ")\n  parameters  ",
                  grouped(part.parameters()), "\n  bytes       ", grouped(part.bytes()), " (", bytes_text(part.bytes()),
                  ")\n");
}

std::string as_text(const std::string& path, const Inspection& inspection, bool brief) {
  std::string text;
  if (inspection.layout != "file") {
    text += printable(path, 400) + ": " + inspection.variant + ", " + inspection.layout + "\n";
  }
  for (const auto& part : inspection.parts) text += head_of(part);
  if (const auto& need = inspection.memory) {
    text += c10::str("memory beside the mapped weights, fp32, at the model's own size\n  text ", bytes_text(need->text),
                     ", image ", bytes_text(need->image), ", denoise ", bytes_text(need->denoise), ", decode ",
                     bytes_text(need->decode), " in one piece\n");
  }
  for (const auto& part : inspection.parts) {
    if (brief) break;
    text += "\n";
    for (const auto& info : part.tensors) {
      text += printable(info.name, 400) + "  " + shape_text(info.shape) + "  " + info.type_name() + "\n";
    }
  }
  return text;
}

std::string line_of(const weights::TensorInfo& info) { return printable(info.name) + " " + shape_text(info.shape); }

/// One error for everything that is wrong, after the report.
void require_sound(const std::string& path, const Inspection& inspection) {
  std::vector<std::string> items;
  size_t missing = inspection.absent.size(), unexpected = 0, mismatched = 0;
  for (const auto& name : inspection.absent) items.push_back("missing     " + name + " (a whole part)");
  for (const auto& part : inspection.parts) {
    for (const auto& info : part.missing) items.push_back("missing     " + line_of(info));
    for (const auto& info : part.unexpected) items.push_back("unexpected  " + line_of(info));
    for (const auto& text : part.mismatched) items.push_back("shape       " + text);
    missing += part.missing.size();
    unexpected += part.unexpected.size();
    mismatched += part.mismatched.size();
    if (part.family == "unknown") {
      const auto& tensors = part.tensors;
      fail(ErrorKind::weights, printable(part.file->path().string(), 400),
           ": expected the tensors of a network that "
           "keyflow knows, found ",
           tensors.size(), " others", tensors.empty() ? "" : ", the first " + line_of(tensors[0]));
    }
  }
  if (items.empty()) return;
  throw Error(ErrorKind::weights,
              c10::str(printable(path, 400), " does not fit ", inspection.variant, "; ", missing, " missing, ",
                       unexpected, " unexpected, ", mismatched, " of another shape"),
              items);
}

void require_finite_weights(const std::string& path, const Inspection& inspection) {
  std::vector<std::string> items;
  for (const auto& part : inspection.parts) {
    for (auto& text : pipeline::tensors_not_finite(*part.file)) items.push_back(std::move(text));
  }
  if (items.empty()) return;
  throw Error(ErrorKind::numeric, c10::str(printable(path, 400), ": ", items.size(), " tensors are not finite"), items);
}

int run(const Arguments& arguments) {
  std::string path = arguments.operands()[0];
  if (path == "mini") path = (data_folder() / "weights" / "mini").string();
  const Inspection inspection = pipeline::inspect(path);
  if (arguments.has("json")) {
    print(as_json(path, inspection).dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n");
  } else {
    print(as_text(path, inspection, arguments.has("brief")));
  }
  require_sound(path, inspection);
  if (arguments.has("finite")) require_finite_weights(path, inspection);
  return 0;
}

}  // namespace

Command inspect_command() {
  Command command;
  command.name = "inspect";
  command.summary = "Tell what a model file or folder is, and whether it is whole";
  command.operands = "PATH";
  command.least_operands = command.most_operands = 1;
  command.groups = {{"Options",
                     {{"--json", "", "Print JSON: family, variant, tensors, missing, unexpected, ..."},
                      {"--brief", "", "Leave out the list of tensors"},
                      {"--finite", "", "Also read every weight and look for NaN and infinity"}}}};
  command.example = "keyflow inspect Wan2.1-FLF2V-14B-720P --brief";
  command.run = run;
  return command;
}

}  // namespace keyflow::apps
