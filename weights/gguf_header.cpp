#include "weights/gguf_header.h"

#include <algorithm>
#include <unordered_set>

#include "core/error.h"
#include "core/shape.h"
#include "weights/byte_reader.h"
#include "weights/gguf_types.h"
#include "weights/tensor_limits.h"

namespace keyflow::weights {
namespace {

constexpr uint64_t kStartBytes = 24, kLeastKeyBytes = 13, kLeastTensorBytes = 25;
constexpr uint64_t kMaxKeyBytes = 65535, kMaxAlignment = 1 << 20, kMaxTextBytes = 1 << 20;
constexpr uint64_t kMaxGgufRank = 5;
constexpr int kMaxArrayDepth = 4;

class HeaderReader {
 public:
  HeaderReader(std::span<const uint8_t> file, const std::string& where)
      : reader_(file, where), where_(where), file_bytes_(file.size()) {}

  GgufHeader read() {
    const auto [tensors, keys] = read_start();
    for (uint64_t i = 0; i < keys; ++i) read_key();
    for (uint64_t i = 0; i < tensors; ++i) read_tensor();
    header_.end = reader_.offset();
    place_tensors();
    return std::move(header_);
  }

 private:
  std::pair<uint64_t, uint64_t> read_start() {
    require(file_bytes_ >= kStartBytes, ErrorKind::weights, where_, "GGUF: expected 24 bytes, found ", file_bytes_);
    reader_.take(4, "magic");
    const auto version = static_cast<uint32_t>(reader_.number(4, "version"));
    require(version == 2 || version == 3,
            version == 0x02000000 || version == 0x03000000 ? ErrorKind::unsupported : ErrorKind::weights, where_,
            "GGUF: version ", version, version >> 24 != 0 && (version & 0xffff) == 0 ? " (big-endian)" : "",
            "; expected 2 or 3, little-endian");
    const uint64_t tensors = reader_.number(8, "tensor count"), keys = reader_.number(8, "key count");
    require(tensors <= kMaxTensors && tensors <= reader_.left() / kLeastTensorBytes, ErrorKind::weights, where_,
            "GGUF: ", tensors, " tensors do not fit the ", file_bytes_, " bytes of the file (the limit is ",
            kMaxTensors, ")");
    require(keys <= reader_.left() / kLeastKeyBytes, ErrorKind::weights, where_, "GGUF: ", keys,
            " keys do not fit the ", file_bytes_, " bytes of the file");
    require(tensors > 0, ErrorKind::weights, where_, "GGUF: a file without tensors; expected at least 1, found 0");
    return {tensors, keys};
  }

  std::string_view read_text(const char* what, uint64_t most) {
    const uint64_t at = reader_.offset(), length = reader_.number(8, what);
    require(length <= most, ErrorKind::weights, where_, "offset ", at, ": ", what, ": length ", length,
            "; expected at most ", most);
    return reader_.take(length, what);
  }

  void read_key() {
    const uint64_t at = reader_.offset();
    const std::string key(read_text("key", kMaxKeyBytes));
    const std::string shown = "key \"" + printable(key) + "\"";
    require(!key.empty() && printable(key, key.size() + 1) == key, ErrorKind::weights, where_, "offset ", at, ": ",
            shown, " is empty or holds control characters or invalid UTF-8");
    require(keys_.insert(key).second, ErrorKind::weights, where_, "offset ", at, ": ", shown, " occurs twice");
    const auto type = static_cast<uint32_t>(reader_.number(4, "value type"));
    if (key == "general.alignment") return read_alignment(type, shown);
    if (key.starts_with(kShapeKey)) return read_shape(key.substr(kShapeKey.size()), type, shown);
    const bool kept = key == kArchitectureKey || key.starts_with(kMetadataKey);
    if (kept && type == static_cast<uint32_t>(GgufValue::text)) {
      const std::string text(read_text("text", kMaxTextBytes));
      header_.metadata[key.starts_with(kMetadataKey) ? key.substr(kMetadataKey.size()) : key] = text;
      return;
    }
    skip_value(type, shown, 0);
  }

  void read_alignment(uint32_t type, const std::string& shown) {
    require(type == static_cast<uint32_t>(GgufValue::u32), ErrorKind::weights, where_, shown,
            ": expected a u32 (type 4), found type ", type);
    alignment_ = reader_.number(4, "alignment");
    const bool power = alignment_ != 0 && (alignment_ & (alignment_ - 1)) == 0;
    require(power && alignment_ <= kMaxAlignment, ErrorKind::weights, where_, shown, ": expected a power of two up to ",
            kMaxAlignment, ", found ", alignment_);
  }

  void read_shape(const std::string& tensor, uint32_t type, const std::string& shown) {
    require(type == static_cast<uint32_t>(GgufValue::array), ErrorKind::weights, where_, shown,
            ": expected an array (type 9), found type ", type);
    const auto item = static_cast<uint32_t>(reader_.number(4, "item type"));
    const bool whole = item == static_cast<uint32_t>(GgufValue::i32) || item == static_cast<uint32_t>(GgufValue::u32) ||
                       item == static_cast<uint32_t>(GgufValue::i64) || item == static_cast<uint32_t>(GgufValue::u64);
    const uint64_t count = reader_.number(8, "array length");
    require(whole && count <= kMaxRank, ErrorKind::weights, where_, shown, ": expected up to ", kMaxRank,
            " whole numbers, found ", count, " of type ", item);
    std::vector<int64_t>& shape = shapes_[tensor];
    for (uint64_t i = 0; i < count; ++i) {
      const uint64_t raw = reader_.number(static_cast<int>(value_bytes(item)), "dimension");
      const bool narrow = item == static_cast<uint32_t>(GgufValue::i32);
      shape.push_back(narrow ? static_cast<int32_t>(raw) : static_cast<int64_t>(raw));
      require(shape.back() >= 0, ErrorKind::weights, where_, shown, ": dimension ", i, " is ", shape.back());
    }
  }

  void skip_value(uint32_t type, const std::string& shown, int depth) {
    if (const uint64_t bytes = value_bytes(type)) {
      reader_.take(bytes, "value");
    } else if (type == static_cast<uint32_t>(GgufValue::text)) {
      read_text("text", file_bytes_);
    } else if (type == static_cast<uint32_t>(GgufValue::array)) {
      skip_array(shown, depth + 1);
    } else {
      fail(ErrorKind::weights, where_, shown, ": unknown value type ", type, "; expected 0 to 12");
    }
  }

  void skip_array(const std::string& shown, int depth) {
    require(depth <= kMaxArrayDepth, ErrorKind::weights, where_, shown, ": arrays nested deeper than ", kMaxArrayDepth);
    const auto type = static_cast<uint32_t>(reader_.number(4, "item type"));
    const uint64_t count = reader_.number(8, "array length"), bytes = value_bytes(type);
    // The least that an item takes: a text is a length, an array a type and a length.
    const uint64_t least = bytes != 0 ? bytes : type == static_cast<uint32_t>(GgufValue::array) ? 12 : 8;
    require(count <= reader_.left() / least, ErrorKind::weights, where_, shown, ": an array of ", count,
            " items does not fit the ", reader_.left(), " bytes left");
    if (bytes != 0) {
      reader_.take(count * bytes, "array");
      return;
    }
    for (uint64_t i = 0; i < count; ++i) skip_value(type, shown, depth);
  }

  void read_tensor() {
    const uint64_t at = reader_.offset();
    GgufTensor tensor;
    tensor.info.name = read_text("tensor name", kMaxNameBytes);
    const std::string shown = c10::str("tensor \"", printable(tensor.info.name), "\", header byte ", at, ": ");
    const std::string fault = fault_of_name(tensor.info.name);
    require(fault.empty(), ErrorKind::weights, where_, "offset ", at, ": tensor name \"", printable(tensor.info.name),
            "\" ", fault);
    require(names_.insert(tensor.info.name).second, ErrorKind::weights, where_, shown, "occurs twice");
    const uint64_t rank = reader_.number(4, "rank");
    require(rank <= kMaxGgufRank, ErrorKind::weights, where_, shown, "rank ", rank, "; expected at most ",
            kMaxGgufRank);
    for (uint64_t i = 0; i < rank; ++i) {
      const uint64_t size = reader_.number(8, "dimension");
      require(size <= static_cast<uint64_t>(INT64_MAX), ErrorKind::weights, where_, shown, "dimension ", i, " is ",
              size);
      tensor.info.shape.insert(tensor.info.shape.begin(), static_cast<int64_t>(size));
    }
    const auto number = static_cast<uint32_t>(reader_.number(4, "type"));
    const GgufType* type = gguf_type(number);
    require(type != nullptr, ErrorKind::weights, where_, shown, "unknown type ", number);
    require(type->readable, ErrorKind::unsupported, where_, shown, "type ", type->name, " (", number,
            ") cannot be read; expected F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1 or Q2_K to Q6_K");
    tensor.info.dtype = type->dtype;
    tensor.info.format = type->format;
    tensor.begin = reader_.number(8, "offset");
    check_size(tensor.info, shown);
    header_.tensors.push_back(std::move(tensor));
  }

  /// Bytes that do not overflow, whole blocks in each row, and the shape that a key gives.
  void check_size(TensorInfo& info, const std::string& shown) {
    const BlockLayout layout = info.packed() ? layout_of(info.format) : BlockLayout{};
    const size_t item_bytes = info.packed() ? 2 : c10::elementSize(info.dtype);  // no block takes 2 bytes a value
    const auto bytes = byte_size(info.shape, item_bytes);
    require(bytes.has_value(), ErrorKind::weights, where_, shown, overflow_text(info.shape, item_bytes));
    const int64_t row = info.shape.empty() ? 1 : info.shape.back();
    require(row % layout.values == 0, ErrorKind::weights, where_, shown, layout.name, " ", shape_text(info.shape),
            ": a row of ", row, " values is not a multiple of the block of ", layout.values);
    const auto found = shapes_.find(info.name);
    if (found == shapes_.end()) return;
    const auto wanted = byte_size(found->second, item_bytes);
    require(wanted == bytes, ErrorKind::weights, where_, shown, kShapeKey, "*: ", shape_text(found->second),
            " has another number of values than ", shape_text(info.shape));
    info.shape = found->second;
  }

  /// Offsets count from the data, which begins at the next multiple of the alignment.
  void place_tensors() {
    const uint64_t data = (header_.end + alignment_ - 1) / alignment_ * alignment_;
    std::vector<const GgufTensor*> sorted;
    for (auto& tensor : header_.tensors) {
      const std::string shown = c10::str("tensor \"", printable(tensor.info.name), "\": ");
      const uint64_t bytes = tensor.info.bytes(), offset = tensor.begin;
      require(offset % alignment_ == 0, ErrorKind::weights, where_, shown, "offset ", offset,
              " is not a multiple of the alignment ", alignment_);
      const uint64_t room = file_bytes_ > data ? file_bytes_ - data : 0;
      require(offset <= room && bytes <= room - offset, ErrorKind::weights, where_, shown, bytes, " bytes at offset ",
              offset, " end outside the ", room, " data bytes of the file",
              "; hint: a download that broke off leaves such a file");
      tensor.begin = data + offset;
      if (bytes > 0) sorted.push_back(&tensor);
    }
    std::sort(sorted.begin(), sorted.end(), [](const auto* a, const auto* b) { return a->begin < b->begin; });
    for (size_t i = 1; i < sorted.size(); ++i) {
      const GgufTensor &before = *sorted[i - 1], &tensor = *sorted[i];
      require(before.begin + before.info.bytes() <= tensor.begin, ErrorKind::weights, where_, "tensor \"",
              printable(tensor.info.name), "\" at offset ", tensor.begin - data, " overlaps tensor \"",
              printable(before.info.name), "\" of ", before.info.bytes(), " bytes at ", before.begin - data);
    }
  }

  ByteReader reader_;
  const std::string& where_;
  uint64_t file_bytes_;
  uint64_t alignment_ = kGgufAlignment;
  std::unordered_set<std::string> keys_, names_;
  std::map<std::string, std::vector<int64_t>> shapes_;
  GgufHeader header_;
};

}  // namespace

GgufHeader parse_gguf_header(std::span<const uint8_t> file, const std::string& where) {
  return HeaderReader(file, where).read();
}

}  // namespace keyflow::weights
