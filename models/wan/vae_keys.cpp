#include <charconv>

#include "models/wan/vae.h"

namespace keyflow::wan {
namespace {

/// Replaces the leading `from` of `text` by `to`; false if it does not start so.
bool replace_head(std::string& text, std::string_view from, std::string_view to) {
  if (!text.starts_with(from)) return false;
  text = std::string(to) + text.substr(from.size());
  return true;
}

/// residual.0 ... of a residual block in diffusers' words.
void rename_residual(std::string& rest) {
  replace_head(rest, "residual.0.", "norm1.") || replace_head(rest, "residual.2.", "conv1.") ||
      replace_head(rest, "residual.3.", "norm2.") || replace_head(rest, "residual.6.", "conv2.") ||
      replace_head(rest, "shortcut.", "conv_shortcut.");
}

}  // namespace

// The table of names: diffusers scripts/convert_wan_to_diffusers.py@58eb52c.
weights::FileName vae_diffusers_name(const std::string& name, const VaeConfig& config) {
  std::string rest = name;
  if (replace_head(rest, "conv1.", "quant_conv.") || replace_head(rest, "conv2.", "post_quant_conv.")) return {rest};
  const std::string half = rest.substr(0, rest.find('.') + 1);  // "encoder." or "decoder."
  rest = rest.substr(half.size());
  if (replace_head(rest, "conv1.", "conv_in.") || replace_head(rest, "head.0.", "norm_out.") ||
      replace_head(rest, "head.2.", "conv_out.")) {
    return {half + rest};
  }
  std::string place;
  if (replace_head(rest, "middle.0.", ""))
    place = "mid_block.resnets.0.";
  else if (replace_head(rest, "middle.1.", ""))
    place = "mid_block.attentions.0.";
  else if (replace_head(rest, "middle.2.", ""))
    place = "mid_block.resnets.1.";
  else {
    const bool down = replace_head(rest, "downsamples.", "");
    if (!down) replace_head(rest, "upsamples.", "");
    int64_t index = 0;
    const auto parsed = std::from_chars(rest.data(), rest.data() + rest.size(), index);
    rest = rest.substr(static_cast<size_t>(parsed.ptr - rest.data()) + 1);
    const int64_t group = config.num_res_blocks + 2;
    if (down)
      place = "down_blocks." + std::to_string(index) + ".";
    else if (index % group < group - 1) {
      place = c10::str("up_blocks.", index / group, ".resnets.", index % group, ".");
    } else {
      place = c10::str("up_blocks.", index / group, ".upsamplers.0.");
    }
  }
  rename_residual(rest);
  return {half + place + rest};
}

weights::Rename vae_rename(const weights::TensorFile& file, const VaeConfig& config) {
  if (file.find("encoder.conv_in.weight") == nullptr) return weights::same_name;
  return [config](const std::string& name) { return vae_diffusers_name(name, config); };
}

}  // namespace keyflow::wan
