#pragma once
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "weights/scope.h"
#include "weights/tensor_file.h"

namespace keyflow::weights {

/// Where a model's tensor lies in a file of another spelling: the file's name for it, and, where the file stacks
/// several of the model's tensors in one, which of its rows: cut into `parts` equal shares, those from number `part`
/// on, `span` of them. q, k, v and an MLP of four times their width in one tensor are parts 0, 1, 2 and 3 (span 4)
/// of 7. A transposed matrix lies in the file with its dimensions swapped (the rows are counted once it is turned).
struct FileName {
  std::string name;
  int64_t part = 0, parts = 1, span = 1;
  bool transposed = false;
};

/// Model spelling -> file spelling. One per foreign spelling, in the keys.cpp of its family.
using Rename = std::function<FileName(const std::string&)>;
FileName same_name(const std::string& name);

/// True for a file's tensor that the model rightly leaves alone. Each rule stands with its reason in keys.cpp.
using Ignore = std::function<bool(const std::string& file_name)>;

/// The names and shapes a model asks for, recorded by building it on meta tensors, which take no memory.
class Plan final : public Source {
 public:
  at::Tensor get(const std::string& name, at::IntArrayRef shape, Init init, int64_t fan_in) override;
  const std::vector<std::pair<std::string, std::vector<int64_t>>>& entries() const { return entries_; }
  /// The same list as the file would spell it: parts joined along rows, sorted by name.
  std::vector<TensorInfo> as_file(const Rename& rename) const;

  struct Report {
    std::vector<std::string> missing, unexpected, shape;  ///< each item as it is printed
    bool matches() const { return missing.empty() && unexpected.empty() && shape.empty(); }
  };
  /// Shapes that differ only by dimensions of size one count as equal.
  Report compare(const std::vector<TensorInfo>& file, const Rename& rename = same_name,
                 const Ignore& ignore = {}) const;
  /// Throws one Error::weights with all three lists. `what` is "models/wan with configs/wan/t2v_14b.json".
  void require_match(const TensorFile& file, const std::string& what, const Rename& rename = same_name,
                     const Ignore& ignore = {}) const;

 private:
  std::vector<std::pair<std::string, std::vector<int64_t>>> entries_;
};

/// Builds `make` on a Plan.
template <class Make>
Plan record(Make&& make) {
  Plan plan;
  make(Scope(plan, Compute{}));
  return plan;
}

/// Tensors of a file, renamed; views of the mapping on the CPU, copies on another device. Blocks are handed out as such
/// on the CPU; elsewhere, where the file has the matrix transposed, and where a share of a stack does not begin and end
/// with a block, they are unpacked. Ask it only for what a Plan has matched.
class FileSource final : public Source {
 public:
  FileSource(std::shared_ptr<const TensorFile> file, Rename rename = same_name, at::Device device = at::kCPU);
  at::Tensor get(const std::string& name, at::IntArrayRef shape, Init init, int64_t fan_in) override;
  StoredWeight get_weight(const std::string& name, at::IntArrayRef shape, Init init, int64_t fan_in) override;

 private:
  std::optional<Blocks> packed_rows(const FileName& target) const;
  void require_shape(const FileName& target, at::IntArrayRef found, at::IntArrayRef expected) const;

  std::shared_ptr<const TensorFile> file_;
  Rename rename_;
  at::Device device_;
};

/// Fresh float32 leaves that require gradients, drawn in the order asked for; for training and tests.
class InitSource final : public Source {
 public:
  explicit InitSource(uint64_t seed, at::Device device = at::kCPU);
  at::Tensor get(const std::string& name, at::IntArrayRef shape, Init init, int64_t fan_in) override;
  const std::vector<std::pair<std::string, at::Tensor>>& named() const { return named_; }
  std::vector<at::Tensor> parameters() const;

 private:
  std::vector<std::pair<std::string, at::Tensor>> named_;
  at::Generator generator_;
  at::Device device_;
};

}  // namespace keyflow::weights
