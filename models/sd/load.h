#pragma once
#include <filesystem>
#include <memory>

#include "models/sd/control_net.h"
#include "models/sd/unet.h"
#include "weights/overlay.h"
#include "weights/tensor_file.h"

namespace keyflow::sd {

/// The configuration of a U-Net: what its tensors show, then what the config.json beside it states. Without one, an SD2
/// that predicts v counts as trained on latents of 96 pixels, which leaves no trace in shapes.
///
/// file         its own file, or a single file with other networks in it
/// config_json  empty for none
/// throws       Error::config, Error::weights, Error::unsupported
UNetConfig unet_config(const weights::TensorFile& file, const std::filesystem::path& config_json = {});
ControlNetConfig control_net_config(const weights::TensorFile& file, const std::filesystem::path& config_json = {});

/// Plans the network, compares it with the file's header, and builds it on the file's own memory. The mapping lives as
/// long as the network.
///
/// lora   what LoRA files change, matched by lora_names()
/// throws Error::weights listing every missing, unexpected and misshapen tensor
UNet load_unet(const std::shared_ptr<const weights::TensorFile>& file, const UNetConfig& config, const Compute& compute,
               const weights::Overlay& lora = {});
ControlNet load_control_net(const std::shared_ptr<const weights::TensorFile>& file, const ControlNetConfig& config,
                            const Compute& compute);

}  // namespace keyflow::sd
