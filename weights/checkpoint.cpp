#include "weights/checkpoint.h"

#include <algorithm>

#include "core/error.h"
#include "core/shape.h"
#include "weights/mapped_tensor.h"
#include "weights/state_dict.h"
#include "weights/tensor_limits.h"

namespace keyflow::weights {
namespace {

// A broadcast view may be larger than what the file holds, but not so large that a few bytes ask for all memory.
constexpr uint64_t kMaxExpansion = 64u << 20;

bool is_contiguous(const PickleTensor& tensor) {
  int64_t expected = 1;
  for (size_t i = tensor.sizes.size(); i-- > 0;) {
    if (tensor.sizes[i] != 1 && tensor.strides[i] != expected) return false;
    expected *= tensor.sizes[i];
  }
  return true;
}

/// Checks the tensor against the `bytes` of its storage.
void require_inside_storage(const PickleTensor& tensor, uint64_t bytes, uint64_t file_bytes, const std::string& where) {
  const std::string shown =
      c10::str("size ", shape_text(tensor.sizes), ", stride ", shape_text(tensor.strides), ", offset ", tensor.offset);
  const size_t item_bytes = c10::elementSize(tensor.dtype);
  const int64_t count = static_cast<int64_t>(bytes / item_bytes);
  const auto negative = [](int64_t number) { return number < 0; };
  if (tensor.offset < 0 || std::any_of(tensor.sizes.begin(), tensor.sizes.end(), negative) ||
      std::any_of(tensor.strides.begin(), tensor.strides.end(), negative)) {
    fail(ErrorKind::weights, where, shown, ": expected numbers from 0");
  }
  const auto size = byte_size(tensor.sizes, item_bytes);
  if (!size) fail(ErrorKind::weights, where, overflow_text(tensor.sizes, item_bytes));
  int64_t last = tensor.offset;
  bool overflow = false;
  for (size_t i = 0; i < tensor.sizes.size(); ++i) {
    int64_t step = 0;
    overflow |= __builtin_mul_overflow(std::max<int64_t>(tensor.sizes[i] - 1, 0), tensor.strides[i], &step);
    overflow |= __builtin_add_overflow(last, step, &last);
  }
  if (overflow)
    fail(ErrorKind::weights, where, shown, ": the last index overflows; its storage has ", count, " elements");
  if (*size > 0 && last >= count) {
    fail(ErrorKind::weights, where, shown, ": last index ", last, " outside its storage of ", count, " elements");
  }
  if (*size > 4 * file_bytes + kMaxExpansion) {
    fail(ErrorKind::weights, where, shown, ": ", *size, " bytes out of a storage of ", bytes, "; the limit is ",
         4 * file_bytes + kMaxExpansion);
  }
}

class Checkpoint final : public TensorFile {
 public:
  Checkpoint(std::shared_ptr<MappedFile> file, const Pickle& pickle, Extent header,
             const std::function<Extent(const PickleStorage&)>& find)
      : file_(std::move(file)) {
    path_ = file_->path();
    format_ = "pickle";
    const std::string where = printable(path_.string(), 400) + ": ";
    for (const auto& [name, index] : named_tensors(pickle, where)) {
      const PickleTensor& tensor = pickle.tensors[index];
      const PickleStorage& storage = pickle.storages[tensor.storage];
      const Extent extent = find(storage);
      require_inside_storage(tensor, storage.view_bytes, file_->size(), where + "tensor \"" + printable(name) + "\": ");
      places_.push_back(
          {extent.begin + storage.view_begin + static_cast<uint64_t>(tensor.offset) * c10::elementSize(tensor.dtype),
           is_contiguous(tensor) ? std::vector<int64_t>() : tensor.strides});
      tensors_.push_back({name, tensor.dtype, tensor.sizes});
    }
    parts_ = {{file_, header.begin, header.begin + header.bytes}};
  }

  at::Tensor read(const std::string& name) const override {
    const TensorInfo& info = at(name);
    const Place& place = places_[static_cast<size_t>(&info - tensors_.data())];
    return mapped_tensor(file_, place.begin, info.dtype, info.shape, place.strides);
  }

 private:
  struct Place {
    uint64_t begin;
    std::vector<int64_t> strides;  // empty: contiguous
  };
  std::shared_ptr<MappedFile> file_;
  std::vector<Place> places_;  // of tensors_[i]
};

}  // namespace

std::shared_ptr<TensorFile> make_checkpoint(std::shared_ptr<MappedFile> file, const Pickle& pickle, Extent header,
                                            const std::function<Extent(const PickleStorage&)>& find) {
  return std::make_shared<Checkpoint>(std::move(file), pickle, header, find);
}

}  // namespace keyflow::weights
