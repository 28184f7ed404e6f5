#include <algorithm>
#include <set>

#include "core/error.h"
#include "core/files.h"
#include "core/shape.h"
#include "weights/gguf_types.h"
#include "weights/tensor_limits.h"
#include "weights/tensor_writer.h"

namespace keyflow::weights {
namespace {

constexpr size_t kMostDimensions = 4;  // of ggml
constexpr uint32_t kVersion = 3, kQuantisationVersion = 2;
constexpr int64_t kLongRow = 256;  // fills the blocks of every format

std::string little(uint64_t number, int count) {
  std::string bytes;
  for (int i = 0; i < count; ++i) bytes += static_cast<char>(number >> (8 * i));
  return bytes;
}

std::string counted(std::string_view text) { return little(text.size(), 8) + std::string(text); }

std::string entry(std::string_view key, GgufValue type) {
  return counted(key) + little(static_cast<uint32_t>(type), 4);
}

std::string text_entry(std::string_view key, std::string_view text) {
  return entry(key, GgufValue::text) + counted(text);
}

/// The shape a tensor is written with.
std::vector<int64_t> stored_shape(const TensorInfo& info) {
  const int64_t count = info.numel(), block = info.packed() ? layout_of(info.format).values : 1;
  if (info.packed() && (info.shape.empty() || info.shape.back() % block != 0)) {
    const int64_t row = count % kLongRow == 0 ? kLongRow : block;
    return {count / row, row};
  }
  if (info.shape.size() <= kMostDimensions) return info.shape;
  if (info.packed()) return {count / std::max<int64_t>(info.shape.back(), 1), info.shape.back()};
  return {info.shape[0], count / std::max<int64_t>(info.shape[0], 1)};
}

void require_tensors(const std::vector<TensorToWrite>& tensors, const std::string& where) {
  std::set<std::string> names;
  for (const auto& [info, make] : tensors) {
    const std::string fault = fault_of_name(info.name), shown = printable(info.name);
    require(fault.empty(), ErrorKind::weights, where, ": tensor name \"", shown, "\" ", fault);
    require(names.insert(info.name).second, ErrorKind::weights, where, ": tensor name \"", shown, "\" occurs twice");
    require(gguf_holds(info), ErrorKind::weights, where, ": tensor \"", shown, "\": GGUF cannot hold ",
            info.type_name(), " ", shape_text(info.shape));
  }
}

std::string keys_of(const std::vector<TensorToWrite>& tensors, const std::map<std::string, std::string>& metadata,
                    uint64_t& count) {
  const auto architecture = metadata.find(std::string(kArchitectureKey));
  std::string keys = text_entry(kArchitectureKey, architecture == metadata.end() ? "unknown" : architecture->second);
  keys += entry("general.quantization_version", GgufValue::u32) + little(kQuantisationVersion, 4);
  count = 2;
  for (const auto& [key, text] : metadata) {
    if (key == kArchitectureKey) continue;
    keys += text_entry(std::string(kMetadataKey) + key, text);
    ++count;
  }
  for (const auto& [info, make] : tensors) {
    if (stored_shape(info) == info.shape) continue;
    keys += entry(std::string(kShapeKey) + info.name, GgufValue::array);
    keys += little(static_cast<uint32_t>(GgufValue::i32), 4) + little(info.shape.size(), 8);
    for (const int64_t size : info.shape) keys += little(static_cast<uint64_t>(size), 4);
    ++count;
  }
  return keys;
}

uint64_t aligned(uint64_t offset) { return (offset + kGgufAlignment - 1) / kGgufAlignment * kGgufAlignment; }

}  // namespace

bool gguf_holds(const TensorInfo& info) {
  const int64_t block = info.packed() ? layout_of(info.format).values : 1;
  const bool narrow = std::all_of(info.shape.begin(), info.shape.end(), [](int64_t size) { return size <= INT32_MAX; });
  return gguf_type(info.dtype, info.format) != nullptr && info.numel() % block == 0 && narrow;
}

void write_gguf(const std::filesystem::path& path, const std::vector<TensorToWrite>& tensors,
                const std::map<std::string, std::string>& metadata) {
  const std::string where = printable(path.string(), 400);
  require_tensors(tensors, where);
  uint64_t key_count = 0, end = 0;
  const std::string keys = keys_of(tensors, metadata, key_count);
  std::string header = "GGUF" + little(kVersion, 4) + little(tensors.size(), 8) + little(key_count, 8) + keys;
  for (const auto& [info, make] : tensors) {
    const std::vector<int64_t> shape = stored_shape(info);
    header += counted(info.name) + little(shape.size(), 4);
    for (size_t i = shape.size(); i-- > 0;) header += little(static_cast<uint64_t>(shape[i]), 8);
    header += little(gguf_type(info.dtype, info.format)->number, 4) + little(end, 8);
    end = aligned(end + info.bytes());
  }
  header.resize(aligned(header.size()), '\0');
  AtomicFile file(path);
  file.write(header.data(), header.size());
  const std::string padding(kGgufAlignment, '\0');
  for (const auto& [info, make] : tensors) {
    const at::Tensor data = make().detach().cpu().contiguous();
    require(data.nbytes() == info.bytes(), ErrorKind::internal, where, ": tensor \"", printable(info.name),
            "\": announced ", info.bytes(), " bytes, made ", data.nbytes());
    if (data.nbytes() > 0) file.write(data.const_data_ptr(), data.nbytes());
    file.write(padding.data(), aligned(data.nbytes()) - data.nbytes());
  }
  file.commit();
}

}  // namespace keyflow::weights
