#include <cstdio>
#include <numeric>
#include <set>

#include "core/error.h"
#include "weights/byte_reader.h"
#include "weights/formats.h"
#include "weights/mapped_tensor.h"
#include "weights/ncnn_param.h"
#include "weights/tensor_limits.h"

namespace keyflow::weights {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMaxParamBytes = 16u << 20;
constexpr int64_t kMaxChannels = 1 << 20, kMaxKernel = 255, kMaxWeights = int64_t{1} << 31;
// The tags in front of a block of weights; what ncnn calls type 0. Blocks of type 1 are bare float32.
constexpr uint32_t kHalf = 0x01306B47, kPlainFloat = 0, kTaggedFloat = 0x0002C056;

/// Layers that keep nothing in the binary file.
const std::set<std::string_view> kWithoutWeights{
    "Input",   "Split", "Concat", "ReLU", "PixelShuffle", "Interp",         "Slice",   "Crop",    "Padding", "BinaryOp",
    "Eltwise", "Reorg", "Noop",   "Clip", "Sigmoid",      "ShuffleChannel", "Reshape", "Permute", "Flatten", "UnaryOp"};

/// The weights of a network, in the order of its layers, as the binary half holds them.
class NcnnFile final : public TensorFile {
 public:
  NcnnFile(const std::shared_ptr<MappedFile>& param, std::shared_ptr<MappedFile> data) : data_(std::move(data)) {
    path_ = param->path();
    format_ = "ncnn";
    where_ = printable(path_.string(), 400);
    require(param->size() <= kMaxParamBytes, ErrorKind::weights, where_, ": expected at most ", kMaxParamBytes,
            " bytes of network description, found ", param->size());
    const std::string text(reinterpret_cast<const char*>(param->data()), param->size());
    const std::string binary = printable(data_->path().string(), 400);
    ByteReader reader({data_->data(), data_->size()}, binary);
    for (const NcnnLayer& layer : parse_ncnn_param(text, where_)) add(layer, reader);
    require(reader.left() == 0, ErrorKind::weights, binary, ": expected ", reader.offset(), " bytes for the layers of ",
            where_, ", found ", data_->size());
    require(!tensors_.empty(), ErrorKind::weights, where_, ": expected at least one layer with weights, found none");
    std::vector<size_t> order(tensors_.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return tensors_[a].name < tensors_[b].name; });
    std::vector<TensorInfo> sorted;
    for (const size_t index : order) {
      sorted.push_back(std::move(tensors_[index]));
      begins_.push_back(written_begins_[index]);
    }
    tensors_ = std::move(sorted);
    metadata_["ncnn"] = text;
    parts_ = {{data_, 0, 0}, {param, 0, param->size()}};
  }

  at::Tensor read(const std::string& name) const override {
    const TensorInfo& info = at(name);
    return mapped_tensor(data_, begins_[static_cast<size_t>(&info - tensors_.data())], info.dtype, info.shape);
  }

 private:
  void add(const NcnnLayer& layer, ByteReader& reader) {
    if (layer.type == "Convolution") return add_convolution(layer, reader);
    if (layer.type == "PReLU") {
      return add_block(numbered(layer) + ".weight", at::kFloat, {layer.whole(0, 0, 1, kMaxChannels, where_)}, reader);
    }
    require(kWithoutWeights.count(layer.type) > 0, ErrorKind::unsupported, where_, ": layer \"", printable(layer.name),
            "\" of type ", printable(layer.type), " cannot be read");
  }

  void add_convolution(const NcnnLayer& layer, ByteReader& reader) {
    const int64_t out = layer.whole(0, 0, 1, kMaxChannels, where_), width = layer.whole(1, 0, 1, kMaxKernel, where_);
    const int64_t height = layer.whole(11, width, 1, kMaxKernel, where_);
    const int64_t weights = layer.whole(6, 0, 1, kMaxWeights, where_), each = out * width * height;
    require(weights % each == 0, ErrorKind::weights, where_, ": layer \"", printable(layer.name), "\": expected ",
            weights, " weights to be a multiple of ", out, " outputs x ", width, "x", height);
    require(layer.number(8, 0) == 0, ErrorKind::unsupported, where_, ": layer \"", printable(layer.name),
            "\": weights of 8 bits cannot be read");
    const std::string name = numbered(layer);
    const auto tag = static_cast<uint32_t>(reader.number(4, "tag of a convolution's weights"));
    require(tag == kHalf || tag == kPlainFloat || tag == kTaggedFloat, ErrorKind::unsupported,
            printable(data_->path().string(), 400), ": offset ", reader.offset() - 4, ": weights of layer \"",
            printable(layer.name), "\": expected fp16 or fp32, found the tag ", tag);
    add_block(name + ".weight", tag == kHalf ? at::kHalf : at::kFloat, {out, weights / each, height, width}, reader);
    if (layer.whole(5, 0, 0, 1, where_) == 1) add_block(name + ".bias", at::kFloat, {out}, reader);
  }

  /// Blocks begin at multiples of four bytes.
  void add_block(std::string name, at::ScalarType dtype, std::vector<int64_t> shape, ByteReader& reader) {
    const auto bytes = byte_size(shape, c10::elementSize(dtype));
    require(bytes.has_value() && tensors_.size() < kMaxTensors, ErrorKind::weights, where_, ": too many weights");
    written_begins_.push_back(reader.offset());
    reader.take((*bytes + 3) / 4 * 4, name.c_str());
    tensors_.push_back({std::move(name), dtype, std::move(shape)});
  }

  /// "Convolution.0007": by the order in the file, because every exporter calls its layers otherwise.
  std::string numbered(const NcnnLayer& layer) {
    char text[16];
    std::snprintf(text, sizeof text, ".%04d", count_[layer.type]++);
    return layer.type + text;
  }

  std::shared_ptr<MappedFile> data_;
  std::string where_;
  std::map<std::string, int> count_;
  std::vector<uint64_t> written_begins_, begins_;  // begins_: of tensors_[i]
};

}  // namespace

bool is_ncnn_pair(const fs::path& data) {
  std::error_code ignored;
  const fs::path param = fs::path(data).replace_extension(".param");
  if (param == data || !fs::is_regular_file(param, ignored)) return false;
  const auto file = MappedFile::open(param);
  return is_ncnn_param({reinterpret_cast<const char*>(file->data()), std::min<size_t>(file->size(), 16)});
}

std::shared_ptr<TensorFile> open_ncnn(std::shared_ptr<MappedFile> file) {
  const bool is_param =
      is_ncnn_param({reinterpret_cast<const char*>(file->data()), std::min<size_t>(file->size(), 16)});
  const fs::path other = fs::path(file->path()).replace_extension(is_param ? ".bin" : ".param");
  std::error_code ignored;
  require(other != file->path() && fs::exists(other, ignored), ErrorKind::weights,
          printable(file->path().string(), 400), ": half of an ncnn network; expected the other half in ",
          printable(other.string(), 400), ", found nothing there");
  auto partner = MappedFile::open(other);
  if (is_param) return std::make_shared<NcnnFile>(file, std::move(partner));
  return std::make_shared<NcnnFile>(partner, std::move(file));
}

}  // namespace keyflow::weights
