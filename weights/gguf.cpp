#include <algorithm>

#include "core/error.h"
#include "weights/formats.h"
#include "weights/gguf_header.h"
#include "weights/mapped_tensor.h"

namespace keyflow::weights {
namespace {

class GgufFile final : public TensorFile {
 public:
  explicit GgufFile(std::shared_ptr<MappedFile> file) : file_(std::move(file)) {
    path_ = file_->path();
    format_ = "GGUF";
    GgufHeader header = parse_gguf_header({file_->data(), file_->size()}, printable(path_.string(), 400) + ": ");
    std::sort(header.tensors.begin(), header.tensors.end(),
              [](const GgufTensor& a, const GgufTensor& b) { return a.info.name < b.info.name; });
    for (auto& tensor : header.tensors) {
      begins_.push_back(tensor.begin);
      tensors_.push_back(std::move(tensor.info));
    }
    metadata_ = std::move(header.metadata);
    parts_ = {{file_, 0, header.end}};
  }

  at::Tensor read(const std::string& name) const override {
    const TensorInfo& info = at(name);
    return info.packed() ? unpack(*blocks(name)) : mapped_tensor(file_, begin_of(info), info.dtype, info.shape);
  }

  std::optional<Blocks> blocks(const std::string& name) const override {
    const TensorInfo& info = at(name);
    if (!info.packed()) return std::nullopt;
    const at::Tensor bytes = mapped_tensor(file_, begin_of(info), at::kByte, {static_cast<int64_t>(info.bytes())});
    return Blocks{info.format, bytes, info.shape.empty() ? std::vector<int64_t>{info.numel()} : info.shape, {}};
  }

 private:
  uint64_t begin_of(const TensorInfo& info) const { return begins_[static_cast<size_t>(&info - tensors_.data())]; }

  std::shared_ptr<MappedFile> file_;
  std::vector<uint64_t> begins_;  // of tensors_[i]
};

}  // namespace

std::shared_ptr<TensorFile> open_gguf(std::shared_ptr<MappedFile> file) {
  return std::make_shared<GgufFile>(std::move(file));
}

}  // namespace keyflow::weights
