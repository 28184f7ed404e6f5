#include "weights/tensor_file.h"

#include <algorithm>

#include "core/error.h"
#include "weights/file_format.h"
#include "weights/float_scales.h"
#include "weights/formats.h"

namespace keyflow::weights {
namespace {

std::span<const uint8_t> first_bytes(const MappedFile& file) {
  return {file.data(), static_cast<size_t>(std::min<uint64_t>(file.size(), 512))};
}

[[noreturn]] void refuse(const MappedFile& file) {
  const std::string where = printable(file.path().string(), 400);
  const Foreign foreign = describe_foreign(first_bytes(file));
  if (foreign.readable_later) fail(ErrorKind::unsupported, where, ": ", foreign.words, " cannot be read yet");
  std::string found = foreign.words;
  if (found.empty()) {
    const std::string start(reinterpret_cast<const char*>(file.data()), first_bytes(file).size());
    found = c10::str("\"", printable(start, 24), "\"");
  }
  fail(ErrorKind::weights, where, ": not safetensors, not GGUF, not a zip or pickle checkpoint; found ", found,
       "; the file has ", file.size(), " bytes");
}

bool is_index(const std::filesystem::path& path) {
  if (path.string().ends_with(".index.json")) return true;
  const auto file = MappedFile::open(path);
  return format_of(first_bytes(*file)) == FileFormat::index;
}

}  // namespace

const TensorInfo* TensorFile::find(const std::string& name) const {
  const auto found = std::lower_bound(tensors_.begin(), tensors_.end(), name,
                                      [](const TensorInfo& info, const std::string& key) { return info.name < key; });
  return found != tensors_.end() && found->name == name ? &*found : nullptr;
}

const TensorInfo& TensorFile::at(const std::string& name) const {
  const TensorInfo* info = find(name);
  if (!info) {
    fail(ErrorKind::weights, printable(path_.string(), 400), ": expected tensor \"", printable(name),
         "\", which is missing among ", tensors_.size());
  }
  return *info;
}

std::optional<Blocks> TensorFile::blocks(const std::string& name) const {
  const TensorInfo& info = at(name);
  const BlockFormat format = block_format_of(info.dtype);
  if (format == BlockFormat::none || info.shape.empty()) return std::nullopt;
  return Blocks{format, read(name).view(at::kByte).flatten(), info.shape, {}};
}

std::shared_ptr<TensorFile> open_single(const std::filesystem::path& path) {
  auto file = MappedFile::open(path);
  switch (format_of(first_bytes(*file))) {
    case FileFormat::safetensors:
      return open_safetensors(std::move(file));
    case FileFormat::gguf:
      return open_gguf(std::move(file));
    case FileFormat::zip:
      return open_zip_checkpoint(std::move(file));
    case FileFormat::pickle:
      return open_stream_checkpoint(std::move(file));
    case FileFormat::ncnn:
      return open_ncnn(std::move(file));
    case FileFormat::index:
    case FileFormat::other:
      break;
  }
  if (is_ncnn_pair(path)) return open_ncnn(std::move(file));
  refuse(*file);
}

std::shared_ptr<TensorFile> open_tensors(const std::filesystem::path& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) return open_tensors(find_in_folder(path));
  return with_float_scales(is_index(path) ? open_shards(path) : open_single(path));
}

}  // namespace keyflow::weights
