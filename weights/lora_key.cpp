#include "weights/lora_key.h"

#include <array>
#include <utility>
#include <vector>

namespace keyflow::weights {
namespace {

using Role = LoraRole;
using Word = std::pair<std::string_view, Role>;

/// The word of a dotted name that tells the role; behind it at most an adapter's name and "weight" or "bias".
constexpr std::array kWords{
    Word{"alpha", Role::alpha},
    Word{"lora_down", Role::down},
    Word{"lora_A", Role::down},
    Word{"lora_up", Role::up},
    Word{"lora_B", Role::up},
    Word{"lora_mid", Role::mid},
    Word{"dora_scale", Role::magnitude},
    Word{"lora_magnitude_vector", Role::row_magnitude},
    Word{"hada_w1_a", Role::hada_w1_a},
    Word{"hada_w1_b", Role::hada_w1_b},
    Word{"hada_w2_a", Role::hada_w2_a},
    Word{"hada_w2_b", Role::hada_w2_b},
    Word{"hada_t1", Role::hada_t1},
    Word{"hada_t2", Role::hada_t2},
    Word{"lokr_w1", Role::lokr_w1},
    Word{"lokr_w1_a", Role::lokr_w1_a},
    Word{"lokr_w1_b", Role::lokr_w1_b},
    Word{"lokr_w2", Role::lokr_w2},
    Word{"lokr_w2_a", Role::lokr_w2_a},
    Word{"lokr_w2_b", Role::lokr_w2_b},
    Word{"lokr_t2", Role::lokr_t2},
    Word{"diff", Role::difference},
    Word{"w_norm", Role::difference},
    Word{"diff_b", Role::bias_difference},
    Word{"b_norm", Role::bias_difference},
};

/// Roles that a name of the layer's own words could be: only behind a mark that says LoRA.
constexpr std::array kMarkedWords{Word{"down", Role::down}, Word{"up", Role::up}, Word{"mid", Role::mid}};

constexpr std::array<std::string_view, 3> kMarks{".lora_linear_layer", ".lora", "_lora"};

bool take_end(std::string_view& text, std::string_view end) {
  if (!text.ends_with(end) || text.size() == end.size()) return false;
  text.remove_suffix(end.size());
  return true;
}

bool without_mark(std::string_view& layer) {
  for (const auto mark : kMarks) {
    if (take_end(layer, mark)) return true;
  }
  return layer.ends_with("_lora1") || layer.ends_with("_lora2");
}

}  // namespace

std::optional<LoraKey> lora_key(std::string_view name) {
  const bool bias = take_end(name, ".bias");
  const bool weight = !bias && take_end(name, ".weight");
  std::string_view rest = name;
  // The role's word is the last one, or the last but one where PEFT's adapter name follows.
  for (int behind = 0; behind < 2; ++behind) {
    const size_t dot = rest.rfind('.');
    if (dot == rest.npos || dot == 0) return std::nullopt;
    const std::string_view word = rest.substr(dot + 1);
    std::string_view layer = rest.substr(0, dot);
    for (const auto& [known, role] : kWords) {
      if (word != known || (behind == 1 && role == Role::alpha)) continue;
      if (role == Role::alpha) without_mark(layer);
      if (bias && role != Role::up) return std::nullopt;
      return LoraKey{std::string(layer), bias ? Role::up_bias : role};
    }
    for (const auto& [known, role] : kMarkedWords) {
      if (behind == 0 && weight && word == known && without_mark(layer)) return LoraKey{std::string(layer), role};
    }
    rest = rest.substr(0, dot);
  }
  return std::nullopt;
}

}  // namespace keyflow::weights
