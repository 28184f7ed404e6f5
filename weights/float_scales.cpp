#include "weights/float_scales.h"

#include <ATen/ops/isfinite.h>

#include <array>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/json.h"
#include "core/shape.h"

namespace keyflow::weights {
namespace {

constexpr std::array<std::string_view, 2> kScales{"scale_weight", "weight_scale"};
constexpr std::array<std::string_view, 2> kInputScales{"scale_input", "input_scale"};
constexpr std::string_view kMarker = "scaled_fp8", kSettings = "comfy_quant", kWeight = "weight";

bool is_eight_bit(const TensorInfo& info) { return block_format_of(info.dtype) != BlockFormat::none; }

/// "a.b." of "a.b.name"; nothing where the last part is another.
std::optional<std::string> stem_before(const std::string& name, std::string_view last) {
  if (name == last) return "";
  if (!name.ends_with(last) || name[name.size() - last.size() - 1] != '.') return std::nullopt;
  return name.substr(0, name.size() - last.size());
}

class ScaledFile final : public TensorFile {
 public:
  explicit ScaledFile(std::shared_ptr<TensorFile> file) : file_(std::move(file)) {
    path_ = file_->path();
    format_ = file_->format();
    metadata_ = file_->metadata();
    parts_ = file_->parts();
    for (const auto& info : file_->tensors()) {
      if (!take_up(info)) tensors_.push_back(info);
    }
    if (!scaled()) return;
    std::vector<std::string> bare;
    for (auto& info : tensors_) {
      if (!is_eight_bit(info)) continue;
      if (scales_.count(info.name) == 0) {
        if (info.shape.size() > 1) bare.push_back(printable(info.name) + " " + shape_text(info.shape));
        continue;
      }
      info.format = block_format_of(info.dtype);
      info.dtype = at::kFloat;
    }
    if (bare.empty()) return;
    throw Error(ErrorKind::weights,
                c10::str(where(), "a checkpoint of scaled 8-bit floats; expected a scale for each, found ", bare.size(),
                         " without"),
                bare);
  }

  bool scaled() const { return marked_ || !scales_.empty(); }

  at::Tensor read(const std::string& name) const override {
    return at(name).packed() ? unpack(*blocks(name)) : file_->read(name);
  }

  std::optional<Blocks> blocks(const std::string& name) const override {
    const auto found = scales_.find(at(name).name);
    auto blocks = file_->blocks(name);
    if (blocks && found != scales_.end()) blocks->scale = found->second;
    return blocks;
  }

 private:
  std::string where() const { return printable(path_.string(), 400) + ": "; }

  /// True for a tensor that belongs to another's scale.
  bool take_up(const TensorInfo& info) {
    if (stem_before(info.name, kMarker)) return marked_ = true;
    for (const auto last : kScales) {
      if (const TensorInfo* weight = weight_beside(info.name, last)) {
        require(scales_.emplace(weight->name, scale_of(info, *weight)).second, ErrorKind::weights, where(),
                printable(info.name), ": a second scale of ", printable(weight->name));
        return true;
      }
    }
    for (const auto last : kInputScales) {
      if (weight_beside(info.name, last) != nullptr) return true;
    }
    return weight_beside(info.name, kSettings) != nullptr && is_plain_cast(info);
  }

  /// The 8-bit tensor that `name` speaks about; null where there is none.
  const TensorInfo* weight_beside(const std::string& name, std::string_view last) const {
    const auto stem = stem_before(name, last);
    const TensorInfo* weight = stem ? file_->find(*stem + std::string(kWeight)) : nullptr;
    return weight != nullptr && is_eight_bit(*weight) ? weight : nullptr;
  }

  at::Tensor scale_of(const TensorInfo& info, const TensorInfo& weight) const {
    const int64_t rows = weight.shape.empty() ? 1 : weight.shape[0], count = info.numel();
    const bool by_row = count == rows && !info.shape.empty() && info.shape[0] == rows;
    require(c10::isFloatingType(info.dtype) && !is_eight_bit(info) && (count == 1 || by_row), ErrorKind::weights,
            where(), printable(info.name), ": expected one number or one for each of the ", rows, " rows of ",
            printable(weight.name), ", found ", info.type_name(), " ", shape_text(info.shape));
    const at::Tensor scale = file_->read(info.name).to(at::kFloat).flatten().contiguous();
    require(at::isfinite(scale).all().item<bool>(), ErrorKind::weights, where(), printable(info.name),
            ": expected finite scales, found NaN or infinity");
    return scale;
  }

  /// True where the settings say no more than that the weight is 8-bit floats with a scale.
  bool is_plain_cast(const TensorInfo& info) const {
    if (info.dtype != at::kByte) return false;
    const at::Tensor bytes = file_->read(info.name).contiguous();
    const std::string_view text(reinterpret_cast<const char*>(bytes.const_data_ptr<uint8_t>()), bytes.nbytes());
    const auto settings = parse_json(text, where() + printable(info.name), ErrorKind::weights, {.depth = 4});
    const auto format = settings.is_object() ? settings.find("format") : settings.end();
    return format != settings.end() && (*format == "float8_e4m3fn" || *format == "float8_e5m2");
  }

  std::shared_ptr<TensorFile> file_;
  std::map<std::string, at::Tensor> scales_;  // by the weight's name
  bool marked_ = false;
};

}  // namespace

std::shared_ptr<TensorFile> with_float_scales(std::shared_ptr<TensorFile> file) {
  const auto& tensors = file->tensors();
  if (std::none_of(tensors.begin(), tensors.end(), is_eight_bit)) return file;
  auto scaled = std::make_shared<ScaledFile>(file);
  return scaled->scaled() ? scaled : file;
}

}  // namespace keyflow::weights
