#pragma once
#include <map>
#include <optional>
#include <string>

#include "weights/adapter.h"
#include "weights/lora_file.h"

namespace keyflow::weights {

/// One layer's tensors in a LoRA file, by role. Its methods throw std::invalid_argument with the text of a problem.
class LoraFactors {
 public:
  LoraFactors(const TensorFile& file, const std::map<LoraRole, std::string>& tensors)
      : file_(file), tensors_(tensors) {}

  bool has(LoraRole role) const { return tensors_.count(role) > 0; }
  /// What the tensors make of the layer's weight; nothing where none is for it.
  std::optional<LoraKind> kind() const;
  /// Checks that the tensors of that kind are all there and of one rank, by shapes alone; return the rank, 0 for whole
  /// matrices.
  int64_t rank(LoraKind kind) const;
  std::optional<double> alpha() const;
  /// Throws unless `role`'s tensor is a filled one of floating point.
  void check_tensor(LoraRole role) const { shape(role); }
  /// The matrices; scale 1.
  Adapter read(LoraKind kind) const;

 private:
  struct Parts;
  const std::vector<int64_t>& shape(LoraRole role) const;
  int64_t rank(const Parts& parts) const;
  at::Tensor read(LoraRole role) const { return file_.read(tensors_.at(role)); }
  Product read(const Parts& parts) const;

  const TensorFile& file_;
  const std::map<LoraRole, std::string>& tensors_;
};

}  // namespace keyflow::weights
