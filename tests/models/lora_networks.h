#pragma once
#include <functional>
#include <string>

#include "weights/lora_names.h"
#include "weights/overlay.h"

namespace keyflow::tests {

/// A tiny network that a reference script saved, ready to run on its inputs with LoRA files applied.
struct LoraNetwork {
  weights::LoraNames names;
  weights::Plan plan;
  std::function<at::Tensor(const weights::Overlay&)> output;
};

/// "sd1", "sdxl", "sd3", "flux", "wan", "clip", "t5" of lora_reference.py; those that end in "_other" read the same
/// weights from the file of the other spelling.
LoraNetwork lora_network(const std::string& name);

}  // namespace keyflow::tests
