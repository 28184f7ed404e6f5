#include "weights/name_table.h"

namespace keyflow::weights {

std::optional<FileName> look_up(std::span<const NameRule> table, std::string_view name) {
  for (const auto& rule : table) {
    if (rule.model == name) return FileName{std::string(rule.file), rule.part, rule.parts, rule.span};
  }
  const size_t dot = name.rfind('.');
  if (dot == std::string_view::npos) return std::nullopt;
  const std::string_view stem = name.substr(0, dot), suffix = name.substr(dot);
  for (const auto& rule : table) {
    if (rule.model != stem) continue;
    return FileName{std::string(rule.file) + std::string(suffix), rule.part, rule.parts, rule.span};
  }
  return std::nullopt;
}

std::optional<BlockName> block_name(std::string_view name, std::string_view blocks) {
  if (!name.starts_with(blocks)) return std::nullopt;
  name.remove_prefix(blocks.size());
  const size_t dot = name.find('.');
  if (dot == 0 || dot == std::string_view::npos || dot + 1 == name.size()) return std::nullopt;
  return BlockName{std::string(name.substr(0, dot)), std::string(name.substr(dot + 1))};
}

}  // namespace keyflow::weights
