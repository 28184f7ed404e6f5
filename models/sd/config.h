#pragma once
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "weights/tensor_info.h"

namespace keyflow::sd {

/// What stands between the way down and the way up.
enum class MiddleBlock {
  attention,  ///< a residual block, a transformer, a residual block
  plain,      ///< one residual block (small ControlNets)
  none,       ///< nothing (distilled U-Nets)
};

/// The U-Net's sizes. Defaults are those of Stable Diffusion 1.5. One entry a level stands in each vector, from the
/// finest on; the way up mirrors the way down.
struct UNetConfig {
  int64_t in_channels = 4;  ///< 4; 9 with a mask and the masked picture, 8 with a picture to edit
  int64_t out_channels = 4;
  int64_t sample_size = 64;  ///< edge in latent pixels of the pictures it was trained on
  std::vector<int64_t> block_out_channels{320, 640, 1280, 1280};
  int64_t layers_per_block = 2;
  std::vector<int64_t> transformer_layers{1, 1, 1,
                                          0};  ///< blocks in each transformer of a level; 0: no attention there
  MiddleBlock middle = MiddleBlock::attention;
  int64_t mid_transformer_layers = 1;      ///< read only with attention in the middle
  std::vector<int64_t> heads{8, 8, 8, 8};  ///< diffusers calls them attention_head_dim
  int64_t cross_attention_dim = 768;       ///< width of the text encoder, or of both together
  bool use_linear_projection = false;      ///< only how a file shapes proj_in and proj_out: [C, C] or [C, C, 1, 1]
  bool upcast_attention = false;           ///< attention in float32 whatever compute() says
  int64_t addition_time_embed_dim = 0;     ///< waves of each added size or score; 0: no added conditions
  int64_t projection_class_embeddings_input_dim = 0;  ///< pooled text and all those waves together
  int64_t time_cond_proj_dim = 0;  ///< waves of the guidance scale a distilled network is told; 0: none
  int64_t norm_num_groups = 32;
  double norm_eps = 1e-5;  ///< of the residual blocks and the last norm
  bool flip_sin_to_cos = true;
  int64_t freq_shift = 0;

  bool attends(size_t level) const { return transformer_layers[level] > 0; }
  size_t levels() const { return block_out_channels.size(); }
  int64_t time_embed_dim() const { return 4 * block_out_channels.front(); }
  /// How many times smaller the deepest level is, along each edge.
  int64_t downscale() const { return int64_t{1} << (levels() - 1); }

  /// Throws Error::config with the numbers that contradict each other.
  void validate() const;
};

/// The configuration that a config.json of diffusers' UNet2DConditionModel states; configs/sd/*.json are such files.
/// Fields it does not state come from `base`: pass unet_config_from_tensors() where there are tensors.
/// Throws Error::config listing all unknown keys, wrong types, and values that stand for modules this U-Net lacks.
UNetConfig unet_config_from_json(const nlohmann::json& json, const std::string& where, const UNetConfig& base = {});

/// The configuration that a checkpoint's names and shapes show, in either spelling, other networks in the same file
/// left aside. What leaves no trace keeps its published value: 8 heads where proj_in is a convolution (SD1), else heads
/// of 64 channels; 256 waves for each added condition; attention in float32 for a context of 1024 (SD2). Throws
/// Error::weights when the tensors are not those of this network, Error::unsupported for a U-Net of another kind.
UNetConfig unet_config_from_tensors(const std::vector<weights::TensorInfo>& tensors);

/// A config.json that diffusers' UNet2DConditionModel.from_pretrained reads, and unet_config_from_json too.
nlohmann::json to_json(const UNetConfig& config);

}  // namespace keyflow::sd
