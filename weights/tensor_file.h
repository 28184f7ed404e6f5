#pragma once
#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/files.h"
#include "core/quantised/blocks.h"
#include "weights/tensor_info.h"

namespace keyflow::weights {

/// One file of a checkpoint: its mapping and the bytes that describe the tensors (header, pickle).
struct FilePart {
  std::shared_ptr<MappedFile> file;
  uint64_t header_begin = 0, header_end = 0;
};

/// A checkpoint opened for reading: its header is parsed and checked, its data untouched.
class TensorFile {
 public:
  virtual ~TensorFile() = default;

  /// Sorted by name.
  const std::vector<TensorInfo>& tensors() const { return tensors_; }
  /// nullptr if absent.
  const TensorInfo* find(const std::string& name) const;
  /// The `__metadata__` strings of a safetensors file; of ncnn the network's text under "ncnn"; of a GGUF file
  /// general.architecture and what keyflow wrote there; empty elsewhere.
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  /// The file or the index it was read from.
  const std::filesystem::path& path() const { return path_; }
  /// "safetensors", "GGUF", "pickle" or "ncnn", with "sharded " before it if an index names the files
  const std::string& format() const { return format_; }

  /// The files behind it, in the order of their names; for sizes and hashes.
  const std::vector<FilePart>& parts() const { return parts_; }

  /// The tensor as it lies in the mapped file: no copy unless it is misaligned or not contiguous; the mapping
  /// lives as long as any tensor. Packed tensors are unpacked to float32. Must not be written to. Throws Error::weights
  /// for an unknown name.
  virtual at::Tensor read(const std::string& name) const = 0;

  /// The tensor as it lies packed in the mapped file, no copy: a packed one, or one of 8-bit floats with at least one
  /// dimension; nothing for others. Throws Error::weights for an unknown name.
  virtual std::optional<Blocks> blocks(const std::string& name) const;

 protected:
  /// The entry of `name`, which lies inside tensors_; throws Error::weights.
  const TensorInfo& at(const std::string& name) const;

  std::filesystem::path path_;
  std::string format_;
  std::vector<TensorInfo> tensors_;
  std::map<std::string, std::string> metadata_;
  std::vector<FilePart> parts_;
};

/// Opens one file (safetensors, GGUF, zip/pickle checkpoint, either half of an ncnn network), a shard index
/// (*.index.json) or a folder that holds one checkpoint; the format is found by the first bytes, not by the name.
/// Nested dicts of a pickle become dotted names, a `state_dict` and the like are opened, a lone tensor is called
/// "tensor". In a folder an index goes before a safetensors file, that before a pickle, that before GGUF; two of the
/// same rank are an error. Scales of 8-bit floats are taken up (weights/float_scales.h). Throws Error::weights,
/// Error::io, or Error::unsupported for a known format that cannot be read.
std::shared_ptr<TensorFile> open_tensors(const std::filesystem::path& path);

/// Writes safetensors atomically, one tensor at a time: the header lists them in the order given, the data lies in the
/// order of falling item size, so that every tensor is aligned. Equal arguments give equal bytes. `metadata` becomes
/// `__metadata__`. Throws Error::io; Error::weights for names or types that the format cannot hold.
void save_safetensors(const std::filesystem::path& path, const std::vector<std::pair<std::string, at::Tensor>>& tensors,
                      const std::map<std::string, std::string>& metadata = {});

}  // namespace keyflow::weights
