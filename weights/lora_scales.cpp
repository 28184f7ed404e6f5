#include "weights/lora_scales.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/json.h"

namespace keyflow::weights {
namespace {

constexpr const char* kMetadata = "lora_adapter_metadata";

bool ends_with_words(const std::string& layer, const std::string& end) {
  return layer == end || (layer.ends_with(end) && layer[layer.size() - end.size() - 1] == '.');
}

double number_of(const nlohmann::json& value, const std::string& where) {
  require(value.is_number(), ErrorKind::config, where, ": expected a number, found ", value.type_name());
  const double number = value.get<double>();
  require(std::isfinite(number), ErrorKind::config, where, ": expected a finite number");
  return number;
}

}  // namespace

LoraScales::LoraScales(const TensorFile& file) {
  const std::string where = printable(file.path().string(), 400);
  const auto add = [&](const nlohmann::json& json, const std::string& network, const std::string& source) {
    const std::string prefix = network.empty() ? "" : network + ".";
    const auto field = [&](const char* name) -> const nlohmann::json* {
      const auto found = json.find(prefix + name);
      return found == json.end() || found->is_null() ? nullptr : &*found;
    };
    Rule rule;
    const auto* alpha = field("lora_alpha");
    if (alpha == nullptr) alpha = field("alpha");
    if (alpha == nullptr) return;
    rule.alpha = number_of(*alpha, source + ": " + prefix + "lora_alpha");
    if (const auto* rank = field("r")) rule.rank = number_of(*rank, source + ": " + prefix + "r");
    const auto* root = field("use_rslora");
    rule.root_of_rank = root != nullptr && root->is_boolean() && root->get<bool>();
    if (const auto* pattern = field("alpha_pattern"); pattern != nullptr && pattern->is_object()) {
      for (const auto& [layer, value] : pattern->items()) {
        require(layer.find_first_of("^$*+?()[]{}|\\") == layer.npos, ErrorKind::unsupported, source, ": ", prefix,
                "alpha_pattern: ", printable(layer), ": patterns are not read, only ends of names");
        rule.alpha_of[layer] = number_of(value, source + ": " + prefix + "alpha_pattern: " + printable(layer));
      }
    }
    rules_[prefix] = rule;
  };
  const auto metadata = file.metadata().find(kMetadata);
  if (metadata != file.metadata().end()) {
    const std::string source = where + ": metadata " + kMetadata;
    const auto json = parse_json(metadata->second, source);
    require(json.is_object(), ErrorKind::config, source, ": expected an object, found ", json.type_name());
    for (const auto& [key, value] : json.items()) {
      const size_t dot = key.find('.');
      const std::string network = dot == key.npos ? "" : key.substr(0, dot);
      if (rules_.count(network.empty() ? "" : network + ".") == 0) add(json, network, source);
    }
    return;
  }
  if (!file.path().filename().string().starts_with("adapter_model.")) return;
  const auto config = file.path().parent_path() / "adapter_config.json";
  std::error_code ignored;
  if (std::filesystem::exists(config, ignored)) add(read_json(config), "", printable(config.string(), 400));
}

double LoraScales::operator()(const std::string& layer, int64_t rank, std::optional<double> alpha) const {
  if (alpha) return rank > 0 ? *alpha / static_cast<double>(rank) : 1;
  for (auto rule = rules_.rbegin(); rule != rules_.rend(); ++rule) {
    if (!layer.starts_with(rule->first)) continue;
    double value = rule->second.alpha;
    for (const auto& [end, other] : rule->second.alpha_of) {
      if (ends_with_words(layer, end)) value = other;
    }
    const double size = rank > 0 ? static_cast<double>(rank) : rule->second.rank;
    return size == 0 ? 1 : value / (rule->second.root_of_rank ? std::sqrt(size) : size);
  }
  return 1;
}

}  // namespace keyflow::weights
