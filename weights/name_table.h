#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "weights/plan.h"

namespace keyflow::weights {

/// One line of a family's table of names: what the model calls `model`, files of another spelling call `file`. Both are
/// whole names, or stems without ".weight" and ".bias". part, parts and span as in FileName.
struct NameRule {
  std::string_view model, file;
  int64_t part = 0, parts = 1, span = 1;
};

/// What the table makes of `name`: the rule of the whole name goes before that of its stem; nothing where neither is
/// there.
std::optional<FileName> look_up(std::span<const NameRule> table, std::string_view name);

/// A name inside one of many like blocks: "blocks.7.attn.q.weight" after "blocks." is "7" and "attn.q.weight".
struct BlockName {
  std::string index, inner;
};
/// Nothing unless `name` starts with `blocks` and has both parts.
std::optional<BlockName> block_name(std::string_view name, std::string_view blocks);

}  // namespace keyflow::weights
