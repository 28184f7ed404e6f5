#include "models/sd/keys.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <set>

namespace keyflow::sd {
namespace {

using Pair = std::pair<std::string_view, std::string_view>;

/// Beginnings of names outside the blocks, diffusers' first.
constexpr std::array kOuter{
    Pair{"time_embedding.linear_1.", "time_embed.0."},
    Pair{"time_embedding.linear_2.", "time_embed.2."},
    Pair{"time_embedding.cond_proj.", "time_embed.cond_proj."},
    Pair{"add_embedding.linear_1.", "label_emb.0.0."},
    Pair{"add_embedding.linear_2.", "label_emb.0.2."},
    Pair{"conv_in.", "input_blocks.0.0."},
    Pair{"conv_norm_out.", "out.0."},
    Pair{"conv_out.", "out.2."},
    Pair{"mid_block.attentions.0.", "middle_block.1."},
    Pair{"controlnet_mid_block.", "middle_block_out.0."},
    Pair{"controlnet_cond_embedding.conv_in.", "input_hint_block.0."},
};

/// The residual blocks outside the levels.
constexpr std::array kMidBlocks{
    Pair{"mid_block.resnets.0.", "middle_block.0."},
    Pair{"mid_block.resnets.1.", "middle_block.2."},
};

/// Inside a residual block; transformers have the same names inside in both spellings.
constexpr std::array kResBlock{
    Pair{"norm1.", "in_layers.0."},  Pair{"conv1.", "in_layers.2."},  Pair{"time_emb_proj.", "emb_layers.1."},
    Pair{"norm2.", "out_layers.0."}, Pair{"conv2.", "out_layers.3."}, Pair{"conv_shortcut.", "skip_connection."},
};

template <size_t Count>
std::optional<std::string> swap_beginning(std::string_view name, const std::array<Pair, Count>& table) {
  for (const auto& [ours, theirs] : table) {
    if (name.starts_with(ours)) return std::string(theirs) + std::string(name.substr(ours.size()));
  }
  return std::nullopt;
}

/// "resnets.0.conv1.weight" -> the words before and after the number.
struct Numbered {
  std::string_view word, rest;
  int64_t number = 0;
};

std::optional<Numbered> numbered(std::string_view name) {
  const size_t dot = name.find('.'), end = name.find('.', dot + 1);
  if (dot == name.npos || end == name.npos) return std::nullopt;
  Numbered parts{name.substr(0, dot), name.substr(end + 1)};
  const auto [stop, error] = std::from_chars(name.data() + dot + 1, name.data() + end, parts.number);
  if (error != std::errc() || stop != name.data() + end) return std::nullopt;
  return parts;
}

std::string res_block(std::string_view inner) { return swap_beginning(inner, kResBlock).value_or(std::string(inner)); }

/// Of `name`, which stands in level `level` of the way down or up.
std::optional<std::string> in_level(int64_t level, std::string_view name, bool down, const BlockNumbering& numbering) {
  const auto parts = numbered(name);
  if (!parts) return std::nullopt;
  const auto& [word, rest, layer] = *parts;
  const int64_t run = numbering.layers_per_block + 1;
  // The convolution that enters the network is block 0 on the way down; each level ends with its resampling.
  const int64_t block = down ? 1 + level * run + layer : level * run + layer;
  const std::string place = (down ? "input_blocks." : "output_blocks.") + std::to_string(block);
  if (word == "resnets") return place + ".0." + res_block(rest);
  if (word == "attentions") return place + ".1." + std::string(rest);
  if (word == "downsamplers" && rest.starts_with("conv.")) {
    return "input_blocks." + std::to_string((level + 1) * run) + ".0.op." + std::string(rest.substr(5));
  }
  if (word == "upsamplers") {
    // It shares a block with the level's last layer, behind the residual block and the attention if there is one.
    const auto index = static_cast<size_t>(level);
    const bool attends = index < numbering.up_attention.size() && numbering.up_attention[index];
    return "output_blocks." + std::to_string((level + 1) * run - 1) + (attends ? ".2." : ".1.") + std::string(rest);
  }
  return std::nullopt;
}

/// The picture embedding of a ControlNet, whose convolutions stand at every other place, with SiLU between.
std::optional<std::string> hint_block(std::string_view name, const BlockNumbering& numbering) {
  constexpr std::string_view kHint = "controlnet_cond_embedding.", kLast = "conv_out.";
  if (!name.starts_with(kHint)) return std::nullopt;
  name.remove_prefix(kHint.size());
  const auto at = [](int64_t convolution, std::string_view rest) {
    return "input_hint_block." + std::to_string(2 * convolution) + "." + std::string(rest);
  };
  if (name.starts_with(kLast)) return at(numbering.hint_blocks + 1, name.substr(kLast.size()));
  const auto parts = numbered(name);
  if (!parts || parts->word != "blocks") return std::nullopt;
  return at(parts->number + 1, parts->rest);
}

/// Reads back what numbers a file's blocks: the first downsampling tells the layers of a level, upsamplings their
/// place.
BlockNumbering numbering_of(const std::set<std::string>& names, const std::string& prefix) {
  const auto has = [&](const std::string& name) { return names.count(prefix + name) > 0; };
  BlockNumbering numbering;
  int64_t blocks = 1;
  const auto block = [](int64_t index) { return "input_blocks." + std::to_string(index) + ".0."; };
  while (has(block(blocks) + "in_layers.0.weight")) ++blocks;
  numbering.layers_per_block = std::max<int64_t>(1, blocks - 1);
  for (int64_t end = numbering.layers_per_block;; end += numbering.layers_per_block + 1) {
    const std::string last = "output_blocks." + std::to_string(end) + ".";
    if (!has(last + "0.in_layers.0.weight")) break;
    numbering.up_attention.push_back(has(last + "1.norm.weight"));
  }
  numbering.hint_blocks = 0;
  while (has("input_hint_block." + std::to_string(2 * (numbering.hint_blocks + 2)) + ".weight"))
    ++numbering.hint_blocks;
  return numbering;
}

/// Marks of the two spellings, the prefix being what stands before them.
Keys keys_of(const std::vector<weights::TensorInfo>& tensors, std::string_view diffusers, std::string_view original,
             std::string_view not_behind) {
  Keys keys;
  for (const auto& info : tensors) {
    const std::string_view name = info.name;
    for (const auto& [mark, spelling] :
         {std::pair{diffusers, Spelling::diffusers}, std::pair{original, Spelling::original}}) {
      const bool marked = name == mark || (name.ends_with(mark) && name[name.size() - mark.size() - 1] == '.');
      if (!marked) continue;
      const std::string_view prefix = name.substr(0, name.size() - mark.size());
      if (!not_behind.empty() && prefix == not_behind) continue;
      keys.spelling = spelling;
      keys.prefix = prefix;
    }
  }
  if (keys.spelling == Spelling::diffusers) return keys;
  std::set<std::string> names;
  for (const auto& info : tensors) names.insert(info.name);
  keys.numbering = numbering_of(names, keys.prefix);
  return keys;
}

/// The parts a single file may hold beside the network asked for, and what training left there.
bool other_part(std::string_view name) {
  constexpr std::array kParts{
      std::string_view{"model.diffusion_model."},  // the U-Net, for a ControlNet
      std::string_view{"control_model."},          // the ControlNet, for a U-Net
      std::string_view{"first_stage_model."},      // the VAE
      std::string_view{"cond_stage_model."},       // the text encoder of SD1 and SD2
      std::string_view{"conditioner."},            // the text encoders of SDXL
      std::string_view{"model_ema."},              // a running mean of the weights, kept while training
      std::string_view{"denoiser."},               // SGM's table of noise levels
      std::string_view{"edm_vpred."},              // range of noise levels, as single numbers
  };
  constexpr std::array kBuffers{
      // LDM's table of noise levels: schedulers compute their own
      std::string_view{"betas"}, std::string_view{"alphas_cumprod"}, std::string_view{"alphas_cumprod_prev"},
      std::string_view{"sqrt_alphas_cumprod"}, std::string_view{"sqrt_one_minus_alphas_cumprod"},
      std::string_view{"log_one_minus_alphas_cumprod"}, std::string_view{"sqrt_recip_alphas_cumprod"},
      std::string_view{"sqrt_recipm1_alphas_cumprod"}, std::string_view{"posterior_variance"},
      std::string_view{"posterior_log_variance_clipped"}, std::string_view{"posterior_mean_coef1"},
      std::string_view{"posterior_mean_coef2"}, std::string_view{"logvar"},
      // marks for prediction_of()
      std::string_view{"v_pred"}, std::string_view{"ztsnr"}, std::string_view{"edm_mean"}, std::string_view{"edm_std"}};
  const auto begins = [&](std::string_view part) { return name.starts_with(part); };
  return std::any_of(kParts.begin(), kParts.end(), begins) ||
         std::find(kBuffers.begin(), kBuffers.end(), name) != kBuffers.end();
}

}  // namespace

std::string_view name_of(Spelling spelling) { return spelling == Spelling::original ? "original" : "diffusers"; }

std::string to_original_name(const std::string& name, const BlockNumbering& numbering) {
  if (auto outer = swap_beginning(name, kOuter)) return *outer;
  for (const auto& [ours, theirs] : kMidBlocks) {
    if (name.starts_with(ours)) return std::string(theirs) + res_block(std::string_view(name).substr(ours.size()));
  }
  if (const auto parts = numbered(name)) {
    const auto& [word, rest, number] = *parts;
    if (word == "controlnet_down_blocks") return "zero_convs." + std::to_string(number) + ".0." + std::string(rest);
    if (word == "down_blocks" || word == "up_blocks") {
      return in_level(number, rest, word == "down_blocks", numbering).value_or(name);
    }
  }
  return hint_block(name, numbering).value_or(name);
}

weights::Rename Keys::rename() const {
  return [keys = *this](const std::string& name) -> weights::FileName {
    return {keys.prefix + (keys.spelling == Spelling::diffusers ? name : to_original_name(name, keys.numbering))};
  };
}

weights::Ignore Keys::ignore() const {
  return [prefix = prefix](const std::string& name) {
    return !prefix.empty() && !name.starts_with(prefix) && other_part(name);
  };
}

Keys unet_keys(const UNetConfig& config, Spelling spelling, const std::string& prefix) {
  Keys keys{spelling, prefix, {}};
  keys.numbering.layers_per_block = config.layers_per_block;
  for (const auto layers : config.transformer_layers) keys.numbering.up_attention.push_back(layers > 0);
  std::reverse(keys.numbering.up_attention.begin(), keys.numbering.up_attention.end());
  return keys;
}

Keys control_net_keys(const ControlNetConfig& config, Spelling spelling, const std::string& prefix) {
  Keys keys = unet_keys(config.encoder, spelling, prefix);
  keys.numbering.hint_blocks = 2 * static_cast<int64_t>(config.conditioning_embedding_out_channels.size() - 1);
  return keys;
}

Keys unet_keys(const std::vector<weights::TensorInfo>& tensors) {
  return keys_of(tensors, "time_embedding.linear_1.weight", "time_embed.0.weight", "control_model.");
}

Keys control_net_keys(const std::vector<weights::TensorInfo>& tensors) {
  return keys_of(tensors, "controlnet_cond_embedding.conv_in.weight", "input_hint_block.0.weight", "");
}

}  // namespace keyflow::sd
