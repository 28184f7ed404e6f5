#include <algorithm>

#include "core/error.h"
#include "weights/formats.h"
#include "weights/mapped_tensor.h"
#include "weights/safetensors_header.h"

namespace keyflow::weights {
namespace {

constexpr uint64_t kMaxHeaderBytes = 100'000'000;

uint64_t header_length(const MappedFile& file, const std::string& where) {
  require(file.size() >= 8, ErrorKind::weights, where, ": safetensors: expected at least 8 bytes, found ", file.size());
  uint64_t length = 0;
  for (int i = 7; i >= 0; --i) length = length << 8 | file.data()[i];
  require(length > 0, ErrorKind::weights, where,
          ": safetensors: offset 0: header length 0; expected at least 2, the file has ", file.size(), " bytes");
  require(length <= kMaxHeaderBytes, ErrorKind::weights, where, ": safetensors: offset 0: header length ", length,
          "; expected at most ", kMaxHeaderBytes, ", the file has ", file.size(), " bytes");
  require(length <= file.size() - 8, ErrorKind::weights, where, ": safetensors: offset 0: header length ", length,
          "; expected at most ", file.size() - 8, ", the file has ", file.size(), " bytes");
  return length;
}

std::string tensor_text(const HeaderEntry& entry) {
  return c10::str("tensor \"", printable(entry.info.name), "\", header byte ", entry.header_byte, ": ");
}

/// The ranges must fill the data: no tensor outside, no overlap, no hole, nothing behind the last.
void require_full_layout(const std::vector<HeaderEntry>& entries, uint64_t data_bytes, const std::string& where) {
  std::vector<const HeaderEntry*> sorted;
  for (const auto& entry : entries) sorted.push_back(&entry);
  std::sort(sorted.begin(), sorted.end(), [](const HeaderEntry* a, const HeaderEntry* b) {
    return std::tie(a->begin, a->end) < std::tie(b->begin, b->end);
  });
  uint64_t end = 0;
  for (const auto* entry : sorted) end = std::max(end, entry->end);
  for (const auto* entry : sorted) {
    if (entry->end <= data_bytes) continue;
    fail(ErrorKind::weights, where, ": ", tensor_text(*entry), "data_offsets [", entry->begin, ", ", entry->end,
         "] end outside the file; expected ", end, " data bytes, found ", data_bytes,
         "; hint: a download that broke off leaves such a file");
  }
  const HeaderEntry* previous = nullptr;
  uint64_t filled = 0;
  for (const auto* entry : sorted) {
    if (entry->begin < filled) {
      fail(ErrorKind::weights, where, ": ", tensor_text(*entry), "data_offsets [", entry->begin, ", ", entry->end,
           "] overlap tensor \"", printable(previous->info.name), "\" at [", previous->begin, ", ", previous->end, "]");
    }
    if (entry->begin > filled) {
      fail(ErrorKind::weights, where, ": ", tensor_text(*entry), "data_offsets [", entry->begin, ", ", entry->end,
           "] leave a hole at ", filled);
    }
    filled = entry->end;
    previous = entry;
  }
  require(filled == data_bytes, ErrorKind::weights, where, ": data: expected ", filled, " bytes, found ", data_bytes,
          "; a hole at ", filled, " that no tensor fills");
}

class SafetensorsFile final : public TensorFile {
 public:
  explicit SafetensorsFile(std::shared_ptr<MappedFile> file) : file_(std::move(file)) {
    path_ = file_->path();
    format_ = "safetensors";
    const std::string where = printable(path_.string(), 400);
    const uint64_t length = header_length(*file_, where);
    data_begin_ = 8 + length;
    SafetensorsHeader header =
        parse_safetensors_header({reinterpret_cast<const char*>(file_->data()) + 8, length}, where);
    require(!header.entries.empty(), ErrorKind::weights, where,
            ": a valid safetensors file without tensors; expected at least 1, found 0 tensors");
    require_full_layout(header.entries, file_->size() - data_begin_, where);
    std::sort(header.entries.begin(), header.entries.end(),
              [](const HeaderEntry& a, const HeaderEntry& b) { return a.info.name < b.info.name; });
    for (auto& entry : header.entries) {
      begins_.push_back(entry.begin);
      tensors_.push_back(std::move(entry.info));
    }
    metadata_ = std::move(header.metadata);
    parts_ = {{file_, 0, data_begin_}};
  }

  at::Tensor read(const std::string& name) const override {
    const TensorInfo& info = at(name);
    const uint64_t begin = begins_[static_cast<size_t>(&info - tensors_.data())];
    return mapped_tensor(file_, data_begin_ + begin, info.dtype, info.shape);
  }

 private:
  std::shared_ptr<MappedFile> file_;
  uint64_t data_begin_ = 0;
  std::vector<uint64_t> begins_;  // of tensors_[i]
};

}  // namespace

std::shared_ptr<TensorFile> open_safetensors(std::shared_ptr<MappedFile> file) {
  return std::make_shared<SafetensorsFile>(std::move(file));
}

}  // namespace keyflow::weights
