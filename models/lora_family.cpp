#include "models/lora_family.h"

#include <c10/util/StringUtil.h>

#include <algorithm>
#include <array>
#include <optional>
#include <set>

#include "weights/lora_names.h"

namespace keyflow::models {
namespace {

using weights::LoraEntry;
using weights::LoraFile;
using weights::LoraRole;

struct Mark {
  std::string_view family;
  /// A layer that holds all of them is the family's. Flat names: the first family that fits is it.
  std::array<std::string_view, 2> parts;
};

constexpr std::string_view kStableDiffusion = "Stable Diffusion", kWan = "Wan";
constexpr std::array kMarks{
    Mark{"FLUX.1", {"double_blocks_", ""}},
    Mark{"FLUX.1", {"single_blocks_", ""}},
    Mark{"FLUX.1", {"single_transformer_blocks_", ""}},
    Mark{"Stable Diffusion 3", {"joint_blocks_", ""}},
    Mark{kStableDiffusion, {"down_blocks_", ""}},
    Mark{kStableDiffusion, {"up_blocks_", ""}},
    Mark{kStableDiffusion, {"mid_block_", ""}},
    Mark{kStableDiffusion, {"input_blocks_", ""}},
    Mark{kStableDiffusion, {"output_blocks_", ""}},
    Mark{"Stable Diffusion 3", {"transformer_blocks_", "_add_q_proj"}},
    Mark{"Stable Diffusion 3", {"transformer_blocks_", "_norm1_context"}},
    Mark{"Stable Diffusion 3", {"transformer_blocks_", "_attn_to_"}},
    Mark{kWan, {"blocks_", "self_attn_q"}},
    Mark{kWan, {"blocks_", "cross_attn_"}},
    Mark{kWan, {"blocks_", "_ffn_net_"}},
    Mark{kWan, {"blocks_", "_attn1_to_"}},
};

struct Width {
  std::string_view family;
  int64_t inputs;
  std::string_view name;
};
/// Of cross-attention's keys in the U-Nets, of any attention's queries in Wan.
constexpr std::array kWidths{
    Width{kStableDiffusion, 768, "Stable Diffusion 1.x"},
    Width{kStableDiffusion, 1024, "Stable Diffusion 2.x"},
    Width{kStableDiffusion, 2048, "SDXL"},
    Width{kStableDiffusion, 1280, "the SDXL refiner"},
    Width{kWan, 1536, "Wan 1.3B"},
    Width{kWan, 3072, "Wan 5B"},
    Width{kWan, 5120, "Wan 14B"},
};

bool holds(const std::string& layer, const Mark& mark) {
  return std::all_of(mark.parts.begin(), mark.parts.end(),
                     [&](std::string_view part) { return layer.find(part) != layer.npos; });
}

/// Inputs of a layer of factors whose lower one is a plain matrix; 0 where the names do not show them.
int64_t inputs_of(const LoraFile& file, const LoraEntry& entry) {
  for (const LoraRole role : {LoraRole::down, LoraRole::hada_w1_b}) {
    const auto found = entry.tensors.find(role);
    if (found != entry.tensors.end()) return file.file().find(found->second)->shape.at(1);
  }
  return 0;
}

bool tells_width(const std::string& layer, std::string_view family) {
  if (family == kWan) return layer.ends_with("self_attn_q") || layer.ends_with("attn1_to_q");
  return layer.find("attn2") != layer.npos && layer.find("to_k") != layer.npos;
}

}  // namespace

std::string lora_family(const LoraFile& file) {
  std::string_view family;
  for (const auto& mark : kMarks) {
    for (const auto& entry : file.entries()) {
      if (family.empty() && holds(weights::flat_name(entry.layer), mark)) family = mark.family;
    }
  }
  for (const auto& entry : file.entries()) {
    const std::string layer = weights::flat_name(entry.layer);
    if (family.empty() && layer.starts_with("lora_te")) return "a text encoder";
    if (!tells_width(layer, family)) continue;
    for (const auto& width : kWidths) {
      if (width.family == family && width.inputs == inputs_of(file, entry)) return std::string(width.name);
    }
  }
  return std::string(family);
}

std::string lora_kinds(const LoraFile& file) {
  std::set<std::string> kinds;
  for (const auto& entry : file.entries()) {
    if (!entry.bias) kinds.insert(std::string(name_of(entry.kind)));
    if (entry.magnitude) kinds.insert("DoRA");
  }
  std::string text;
  for (const auto& kind : kinds) text += (text.empty() ? "" : " and ") + kind;
  return text.empty() ? "bias differences" : text;
}

std::string lora_ranks(const LoraFile& file) {
  std::set<int64_t> ranks;
  for (const auto& entry : file.entries()) {
    if (entry.rank > 0) ranks.insert(entry.rank);
  }
  if (ranks.empty()) return "full";
  const auto [least, most] = std::pair(*ranks.begin(), *ranks.rbegin());
  return least == most ? std::to_string(least) : c10::str(least, " to ", most);
}

}  // namespace keyflow::models
