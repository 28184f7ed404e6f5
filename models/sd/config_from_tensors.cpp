#include <algorithm>
#include <numeric>

#include "core/error.h"
#include "models/sd/keys.h"
#include "weights/shape_finder.h"

namespace keyflow::sd {
namespace {

// Sizes that leave no trace in shapes; every published U-Net of this family has these.
constexpr int64_t kHeadSize = 64, kAddedWaves = 256, kHeadsOfSd1 = 8, kContextOfSd2 = 1024, kContextOfSdxl = 2048;

std::string block(const std::string& blocks, int64_t index) { return blocks + "." + std::to_string(index); }

size_t rank_of(const std::vector<weights::TensorInfo>& tensors, const std::string& name) {
  const auto found = std::find_if(tensors.begin(), tensors.end(), [&](const auto& info) { return info.name == name; });
  return found == tensors.end() ? 0 : found->shape.size();
}

/// Everything up to the middle block.
UNetConfig encoder_from_tensors(const std::vector<weights::TensorInfo>& tensors, const weights::Rename& rename,
                                const char* what) {
  const weights::ShapeFinder shapes(tensors, rename, what);
  UNetConfig config;
  config.in_channels = shapes.get("conv_in.weight", 4)[1];
  config.block_out_channels.clear(), config.transformer_layers.clear();
  config.layers_per_block = shapes.count_blocks("down_blocks.0.resnets", {"conv1.weight", "conv2.weight"});
  const auto depth = [&](const std::string& transformer) {
    return shapes.count_blocks(transformer + ".transformer_blocks", {"norm1.weight", "norm3.weight"});
  };
  const int64_t levels = shapes.count_blocks("down_blocks", {"resnets.0.conv1.weight", "resnets.0.conv2.weight"});
  require(levels >= 1 && levels <= 8, ErrorKind::weights, what, ": expected 1 to 8 levels, found ", levels);
  std::string transformer;  // any one of them
  for (int64_t i = 0; i < levels; ++i) {
    const std::string level = block("down_blocks", i);
    config.block_out_channels.push_back(shapes.get(level + ".resnets.0.conv2.weight", 4)[0]);
    config.transformer_layers.push_back(depth(level + ".attentions.0"));
    if (config.transformer_layers.back() > 0) transformer = level + ".attentions.0";
  }
  const std::string middle = "mid_block.attentions.0";
  if (const int64_t layers = depth(middle)) {
    config.mid_transformer_layers = layers;
    transformer = middle;
  } else {
    config.mid_transformer_layers = std::max<int64_t>(1, config.transformer_layers.back());
    config.middle = shapes.has("mid_block.resnets.0.conv1.weight") ? MiddleBlock::plain : MiddleBlock::none;
  }
  if (!transformer.empty()) {
    config.cross_attention_dim = shapes.get(transformer + ".transformer_blocks.0.attn2.to_k.weight", 2)[1];
    config.use_linear_projection = rank_of(tensors, rename(transformer + ".proj_in.weight").name) == 2;
  }
  if (shapes.has("add_embedding.linear_1.weight")) {
    // A small ControlNet for SDXL is given its text, and looks at the pooled one only.
    if (transformer.empty()) config.cross_attention_dim = kContextOfSdxl;
    config.addition_time_embed_dim = kAddedWaves;
    config.projection_class_embeddings_input_dim = shapes.get("add_embedding.linear_1.weight", 2)[1];
  }
  config.heads.clear();
  for (const auto channels : config.block_out_channels) {
    const bool whole = channels % kHeadSize == 0 && channels > 0;
    config.heads.push_back(!config.use_linear_projection ? std::gcd(kHeadsOfSd1, channels)
                           : whole                       ? channels / kHeadSize
                                                         : 1);
    config.norm_num_groups = std::gcd(config.norm_num_groups, channels);
  }
  config.upcast_attention = config.use_linear_projection && config.cross_attention_dim == kContextOfSd2;
  return config;
}

}  // namespace

UNetConfig unet_config_from_tensors(const std::vector<weights::TensorInfo>& tensors) {
  const weights::Rename rename = unet_keys(tensors).rename();
  const weights::ShapeFinder shapes(tensors, rename, "unet");
  UNetConfig config = encoder_from_tensors(tensors, rename, "unet");
  config.out_channels = shapes.get("conv_out.weight", 4)[0];
  config.sample_size = config.addition_time_embed_dim ? 128 : 64;
  if (shapes.has("time_embedding.cond_proj.weight")) {
    config.time_cond_proj_dim = shapes.get("time_embedding.cond_proj.weight", 2)[1];
  }
  config.validate();
  return config;
}

ControlNetConfig control_net_config_from_tensors(const std::vector<weights::TensorInfo>& tensors) {
  const weights::Rename rename = control_net_keys(tensors).rename();
  const weights::ShapeFinder shapes(tensors, rename, "control net");
  ControlNetConfig config;
  const std::string hint = "controlnet_cond_embedding";
  const auto& first = shapes.get(hint + ".conv_in.weight", 4);
  config.encoder = encoder_from_tensors(tensors, rename, "control net");
  config.conditioning_channels = first[1];
  config.conditioning_embedding_out_channels = {first[0]};
  for (int64_t i = 1; shapes.has(block(hint + ".blocks", i) + ".weight"); i += 2) {
    config.conditioning_embedding_out_channels.push_back(shapes.get(block(hint + ".blocks", i) + ".weight", 4)[0]);
  }
  config.validate();
  return config;
}

}  // namespace keyflow::sd
