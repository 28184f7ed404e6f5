#pragma once
#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "weights/tensor_info.h"

namespace keyflow::weights {

/// A checkpoint opened for reading: its header is parsed and checked, its data untouched.
class TensorFile {
 public:
  virtual ~TensorFile() = default;

  /// Sorted by name.
  const std::vector<TensorInfo>& tensors() const { return tensors_; }
  /// nullptr if absent.
  const TensorInfo* find(const std::string& name) const;
  /// The `__metadata__` strings of a safetensors file, empty elsewhere.
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  /// What the user named: a file, an index or a folder.
  const std::filesystem::path& path() const { return path_; }
  /// "safetensors", "sharded safetensors", "pickle"
  const std::string& format() const { return format_; }

  /// The tensor as it lies in the mapped file: no copy unless it is misaligned or not contiguous; the mapping
  /// lives as long as any tensor. Must not be written to. Throws Error::weights for an unknown name.
  virtual at::Tensor read(const std::string& name) const = 0;

 protected:
  std::filesystem::path path_;
  std::string format_;
  std::vector<TensorInfo> tensors_;
  std::map<std::string, std::string> metadata_;
};

/// Opens one file (safetensors, zip/pickle checkpoint), a shard index (*.index.json) or a folder that holds exactly one
/// of them; the format is found by its first bytes, not by the name. Throws Error::weights or Error::io.
std::shared_ptr<TensorFile> open_tensors(const std::filesystem::path& path);

/// Writes safetensors atomically: tensors in the order given (data aligned to 8 bytes), `metadata` as `__metadata__`.
void save_safetensors(const std::filesystem::path& path, const std::vector<std::pair<std::string, at::Tensor>>& tensors,
                      const std::map<std::string, std::string>& metadata = {});

}  // namespace keyflow::weights
