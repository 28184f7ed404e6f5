#include "models/autoencoder_kl/keys.h"

#include <c10/util/StringUtil.h>

#include <array>
#include <charconv>
#include <set>

namespace keyflow::autoencoder_kl {
namespace {

using Pair = std::pair<std::string_view, std::string_view>;

/// Pieces of names between dots. No piece of one line is part of another line's.
constexpr std::array kLdmPieces{
    Pair{"mid_block.resnets.0.", "mid.block_1."},
    Pair{"mid_block.resnets.1.", "mid.block_2."},
    Pair{"mid_block.attentions.0.group_norm.", "mid.attn_1.norm."},
    Pair{"mid_block.attentions.0.to_q.", "mid.attn_1.q."},
    Pair{"mid_block.attentions.0.to_k.", "mid.attn_1.k."},
    Pair{"mid_block.attentions.0.to_v.", "mid.attn_1.v."},
    Pair{"mid_block.attentions.0.to_out.0.", "mid.attn_1.proj_out."},
    Pair{"conv_norm_out.", "norm_out."},
    Pair{".resnets.", ".block."},
    Pair{"conv_shortcut.", "nin_shortcut."},
    Pair{"downsamplers.0.", "downsample."},
    Pair{"upsamplers.0.", "upsample."},
    Pair{"down_blocks.", "down."},
};

constexpr std::array kOldPieces{
    Pair{".to_q.", ".query."},
    Pair{".to_k.", ".key."},
    Pair{".to_v.", ".value."},
    Pair{".to_out.0.", ".proj_attn."},
};

template <size_t N>
std::string replaced(std::string name, const std::array<Pair, N>& pieces) {
  for (const auto& [ours, theirs] : pieces) {
    if (const size_t at = name.find(ours); at != std::string::npos) name.replace(at, ours.size(), theirs);
  }
  return name;
}

}  // namespace

std::string_view name_of(Spelling spelling) {
  constexpr std::array<std::string_view, 3> kNames{"diffusers", "old_diffusers", "ldm"};
  return kNames[static_cast<size_t>(spelling)];
}

std::string to_ldm_name(const std::string& name, int64_t levels) {
  std::string out = replaced(name, kLdmPieces);
  constexpr std::string_view kUp = "up_blocks.";
  const size_t at = out.find(kUp);
  if (at == std::string::npos) return out;
  int64_t level = 0;
  const size_t digits = at + kUp.size(), end = out.find('.', digits);
  std::from_chars(out.data() + digits, out.data() + end, level);
  return c10::str(out.substr(0, at), "up.", levels - 1 - level, out.substr(end));
}

weights::Rename AutoencoderKeys::rename() const {
  return [keys = *this](const std::string& name) -> weights::FileName {
    switch (keys.spelling) {
      case Spelling::diffusers:
        return {keys.prefix + name};
      case Spelling::old_diffusers:
        return {keys.prefix + replaced(name, kOldPieces)};
      case Spelling::ldm:
        return {keys.prefix + to_ldm_name(name, keys.levels)};
    }
    return {name};
  };
}

weights::Ignore AutoencoderKeys::ignore() const {
  return [prefix = prefix](const std::string& name) {
    return !name.starts_with(prefix) || name.substr(prefix.size()).starts_with("loss.");
  };
}

AutoencoderKeys autoencoder_keys(const std::vector<weights::TensorInfo>& tensors) {
  std::set<std::string> names;
  for (const auto& info : tensors) names.insert(info.name);
  AutoencoderKeys keys;
  constexpr std::string_view kEnd = "encoder.conv_in.weight";
  for (const auto& name : names) {
    if (name.ends_with(kEnd)) keys.prefix = name.substr(0, name.size() - kEnd.size());
  }
  const std::string encoder = keys.prefix + "encoder.";
  if (names.count(encoder + "norm_out.weight")) {
    keys.spelling = Spelling::ldm;
  } else if (names.count(encoder + "mid_block.attentions.0.query.weight")) {
    keys.spelling = Spelling::old_diffusers;
  }
  const bool ldm = keys.spelling == Spelling::ldm;
  const auto first_of = [&](int64_t level) {
    return c10::str(encoder, ldm ? "down." : "down_blocks.", level, ldm ? ".block" : ".resnets", ".0.conv1.weight");
  };
  while (names.count(first_of(keys.levels))) ++keys.levels;
  return keys;
}

}  // namespace keyflow::autoencoder_kl
