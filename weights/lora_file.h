#pragma once
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "weights/adapter.h"
#include "weights/lora_key.h"
#include "weights/lora_scales.h"
#include "weights/tensor_file.h"

namespace keyflow::weights {

enum class LoraKind { low_rank, hadamard, kronecker, full };
/// "LoRA", "LoHa", "LoKr", "full difference"
std::string_view name_of(LoraKind kind);

/// What a LoRA file has for one tensor of a network.
struct LoraEntry {
  std::string layer;  ///< as the file spells it: "lora_unet_mid_block_attentions_0_proj_in"
  LoraKind kind = LoraKind::low_rank;
  bool bias = false;       ///< for the layer's bias, not its weight
  int64_t rank = 0;        ///< 0 for whole matrices
  bool magnitude = false;  ///< DoRA
  double scale = 1;        ///< alpha / rank
  std::map<LoraRole, std::string> tensors;
};

/// A LoRA checkpoint: safetensors, pickle, or PEFT's folder. Opening reads names, shapes and alphas, no matrix.
class LoraFile {
 public:
  /// throws Error::weights listing every layer whose tensors do not make a whole (up without down, ranks that differ,
  ///        alpha not finite); Error::config for a bad adapter_config.json beside it
  explicit LoraFile(std::shared_ptr<const TensorFile> file);

  const std::filesystem::path& path() const { return file_->path(); }
  const TensorFile& file() const { return *file_; }
  /// In the order of their layers' names.
  const std::vector<LoraEntry>& entries() const { return entries_; }
  /// Tensors that are no part of a LoRA.
  const std::vector<std::string>& others() const { return others_; }

  /// The matrices, with strength 1; views of the mapping where the file has them in the form they are used in.
  Adapter read(const LoraEntry& entry) const;

 private:
  void add_layer(const std::string& layer, const std::map<LoraRole, std::string>& tensors,
                 std::vector<std::string>& problems);

  std::shared_ptr<const TensorFile> file_;
  LoraScales scales_;
  std::vector<LoraEntry> entries_;
  std::vector<std::string> others_;
};

/// True where some name shows a LoRA of any kind.
bool is_lora(const std::vector<TensorInfo>& tensors);

}  // namespace keyflow::weights
