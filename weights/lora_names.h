#pragma once
#include <map>
#include <string>
#include <vector>

#include "weights/lora_file.h"
#include "weights/plan.h"

namespace keyflow::weights {

/// How LoRA files speak of one network. Each family says it in its lora_names.cpp.
struct LoraNames {
  std::string network;                ///< for messages: "U-Net", "text encoder 2"
  bool text = false;                  ///< takes the weight for text encoders
  std::vector<std::string> prefixes;  ///< before a layer's name: "lora_unet_", "unet.", "" ...
  /// Model name -> name of any spelling LoRAs are trained on; the first is tried first.
  std::vector<Rename> spellings;
};

/// The weights of a network by the layer names that LoRA files may use. Dots and underscores count as the same, since
/// kohya's names have no dots.
class LoraIndex {
 public:
  /// A model's weight, and which rows of the layer's it is: `span` of `parts` from number `part` on.
  struct Target {
    std::string name;
    std::vector<int64_t> shape;
    int64_t part = 0, parts = 1, span = 1;
    /// Rows of the layer's whole weight.
    int64_t rows() const { return shape.at(0) / span * parts; }
  };

  LoraIndex(const LoraNames& names, const Plan& plan);

  /// The weights that a layer stands for: several where the model cuts what the file stacks; none where it is no
  /// layer of this network.
  const std::vector<Target>* find(const LoraEntry& entry) const;

 private:
  std::vector<std::string> prefixes_;  // flat, the longest first
  std::map<std::string, std::vector<Target>> weights_, biases_;
};

/// "a.b.0.c" -> "a_b_0_c"
std::string flat_name(std::string name);

/// What trainers put before the layers of a denoiser, whatever its family: kohya, LyCORIS, OneTrainer, diffusers, PEFT,
/// ComfyUI, or nothing.
std::vector<std::string> denoiser_prefixes();

/// Before the layers of text encoder `number`, counted from 1 as diffusers counts ("text_encoder_2"). The only encoder
/// of a model may go without number or prefix.
enum class TextPlace { only, among_others };
std::vector<std::string> text_prefixes(int64_t number, TextPlace place);

}  // namespace keyflow::weights
