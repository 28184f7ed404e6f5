#include "weights/zip_archive.h"

#include <algorithm>

#include "core/error.h"
#include "weights/byte_reader.h"
#include "weights/tensor_limits.h"

namespace keyflow::weights {
namespace {

// Signatures and sizes of APPNOTE 6.3.9, §4.3.
constexpr uint32_t kLocalHeader = 0x04034b50, kDirectoryHeader = 0x02014b50, kEnd = 0x06054b50;
constexpr uint32_t kEnd64 = 0x06064b50, kLocator64 = 0x07064b50;
constexpr uint64_t kEndBytes = 22, kLocatorBytes = 20, kEnd64Bytes = 56, kDirectoryBytes = 46;
constexpr uint64_t kMax16 = 0xFFFF, kMax32 = 0xFFFFFFFF;
constexpr uint64_t kEncrypted = 1 << 0, kSizesBehind = 1 << 3;

struct Directory {
  uint64_t begin = 0, bytes = 0, count = 0;
};

/// The end record is the last thing of the file but a comment of at most 64 KiB.
uint64_t find_end(std::span<const uint8_t> bytes, const std::string& where) {
  for (uint64_t back = kEndBytes; back <= std::min<uint64_t>(bytes.size(), kEndBytes + kMax16); ++back) {
    const uint64_t at = bytes.size() - back;
    ByteReader reader(bytes, where, at);
    if (reader.number(4, "") != kEnd) continue;
    reader.take(16, "");
    if (reader.number(2, "") == back - kEndBytes) return at;
  }
  fail(ErrorKind::weights, where, "zip: expected an end record, found none in ", bytes.size(),
       " bytes; hint: a download that broke off leaves such a file");
}

Directory read_end64(std::span<const uint8_t> bytes, const std::string& where, uint64_t end) {
  require(end >= kLocatorBytes, ErrorKind::weights, where, "zip64: no room for a locator before offset ", end);
  ByteReader locator(bytes, where, end - kLocatorBytes);
  require(locator.number(4, "locator") == kLocator64, ErrorKind::weights, where, "zip64: expected a locator at offset ",
          end - kLocatorBytes);
  locator.take(4, "disk");
  const uint64_t at = locator.number(8, "offset");
  require(at <= end && end - at >= kEnd64Bytes + kLocatorBytes, ErrorKind::weights, where,
          "zip64: end record at offset ", at, " outside the file of ", bytes.size(), " bytes");
  ByteReader record(bytes, where, at);
  require(record.number(4, "record") == kEnd64, ErrorKind::weights, where, "zip64: expected an end record at offset ",
          at);
  record.take(20, "versions and disks");
  Directory directory;
  const uint64_t here = record.number(8, "count");
  directory.count = record.number(8, "count");
  require(here == directory.count, ErrorKind::weights, where, "zip64: archives in several parts cannot be read");
  directory.bytes = record.number(8, "directory size");
  directory.begin = record.number(8, "directory offset");
  return directory;
}

Directory find_directory(std::span<const uint8_t> bytes, const std::string& where) {
  const uint64_t end = find_end(bytes, where);
  ByteReader reader(bytes, where, end + 4);
  reader.take(4, "disks");
  Directory directory;
  const uint64_t here = reader.number(2, "count");
  directory.count = reader.number(2, "count");
  directory.bytes = reader.number(4, "directory size");
  directory.begin = reader.number(4, "directory offset");
  require(here == directory.count, ErrorKind::weights, where, "zip: archives in several parts cannot be read");
  if (directory.count == kMax16 || directory.bytes == kMax32 || directory.begin == kMax32) {
    directory = read_end64(bytes, where, end);
  }
  require(directory.begin <= end && directory.bytes <= end - directory.begin, ErrorKind::weights, where,
          "zip: directory of ", directory.bytes, " bytes at offset ", directory.begin, " outside the file of ",
          bytes.size(), " bytes");
  require(directory.count <= directory.bytes / kDirectoryBytes, ErrorKind::weights, where, "zip: ", directory.count,
          " entries do not fit the directory of ", directory.bytes, " bytes");
  return directory;
}

/// Replaces the numbers that are all ones by those of the zip64 field, in the order the format lists them.
void read_extra64(std::string_view extra, const std::string& where, std::initializer_list<uint64_t*> numbers) {
  ByteReader reader({reinterpret_cast<const uint8_t*>(extra.data()), extra.size()}, where);
  while (reader.left() >= 4) {
    const uint64_t id = reader.number(2, "extra field");
    const std::string_view body = reader.take(reader.number(2, "extra field"), "extra field");
    if (id != 1) continue;
    ByteReader values({reinterpret_cast<const uint8_t*>(body.data()), body.size()}, where);
    for (uint64_t* number : numbers) {
      if (*number == kMax32) *number = values.number(8, "zip64 field");
    }
    return;
  }
}

std::string fault_of_path(std::string_view name) {
  const std::string fault = fault_of_name(name);
  if (!fault.empty()) return fault;
  if (name.front() == '/' || name.find('\\') != name.npos) return "is an absolute path";
  for (const auto& part : std::filesystem::path(name)) {
    if (part == "..") return "climbs out of the archive";
  }
  return "";
}

}  // namespace

ZipArchive::ZipArchive(std::shared_ptr<MappedFile> file)
    : file_(std::move(file)), where_(printable(file_->path().string(), 400) + ": ") {
  const Directory directory = find_directory({file_->data(), file_->size()}, where_);
  read_directory(directory.begin, directory.bytes, directory.count);
  require_no_overlap();
}

const ZipEntry* ZipArchive::find(const std::string& name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &entries_[found->second];
}

void ZipArchive::read_directory(uint64_t begin, uint64_t bytes, uint64_t count) {
  ByteReader reader({file_->data(), begin + bytes}, where_, begin);
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t at = reader.offset();
    const uint64_t signature = reader.number(4, "zip directory");
    if (signature != kDirectoryHeader)
      fail(ErrorKind::weights, where_, "zip: expected directory entry ", i, " at offset ", at);
    reader.take(4, "versions");
    const uint64_t flags = reader.number(2, "flags"), method = reader.number(2, "method");
    reader.take(8, "time and checksum");
    uint64_t packed = reader.number(4, "packed size");
    ZipEntry entry;
    entry.bytes = reader.number(4, "size");
    const uint64_t name_bytes = reader.number(2, "name length"), extra_bytes = reader.number(2, "extra length");
    const uint64_t comment_bytes = reader.number(2, "comment length");
    reader.take(8, "attributes");
    entry.header = reader.number(4, "offset");
    entry.name = reader.take(name_bytes, "name");
    read_extra64(reader.take(extra_bytes, "extra fields"), where_, {&entry.bytes, &packed, &entry.header});
    reader.take(comment_bytes, "comment");
    const std::string shown = "entry \"" + printable(entry.name) + "\"";
    const std::string fault = fault_of_path(entry.name);
    if (!fault.empty()) fail(ErrorKind::weights, where_, "zip: ", shown, " ", fault);
    if (flags & kEncrypted)
      fail(ErrorKind::unsupported, where_, "zip: ", shown, " is encrypted; expected a plain entry");
    if (method != 0) {
      fail(ErrorKind::unsupported, where_, "zip: ", shown, " is compressed (method ", method, ", ", packed,
           " bytes to ", entry.bytes, "); expected stored entries, as torch.save writes them");
    }
    if (packed != entry.bytes) {
      fail(ErrorKind::weights, where_, "zip: ", shown, ": size ", entry.bytes, " but ", packed, " stored bytes");
    }
    locate(entry, begin, flags, method);
    if (!index_.emplace(entry.name, entries_.size()).second)
      fail(ErrorKind::weights, where_, "zip: ", shown, " occurs twice");
    entries_.push_back(std::move(entry));
  }
}

void ZipArchive::locate(ZipEntry& entry, uint64_t directory, uint64_t flags, uint64_t method) {
  const std::string where = where_ + "zip: entry \"" + printable(entry.name) + "\": ";
  if (entry.header > directory || entry.bytes > directory) {
    fail(ErrorKind::weights, where, entry.bytes, " bytes at offset ", entry.header, " reach outside the ", directory,
         " bytes before the directory");
  }
  ByteReader reader({file_->data(), directory}, where, entry.header);
  if (reader.number(4, "local header") != kLocalHeader)
    fail(ErrorKind::weights, where, "expected a local header at offset ", entry.header);
  reader.take(2, "version");
  const uint64_t local_flags = reader.number(2, "flags"), local_method = reader.number(2, "method");
  reader.take(8, "time and checksum");
  uint64_t packed = reader.number(4, "packed size"), bytes = reader.number(4, "size");
  const uint64_t name_bytes = reader.number(2, "name length"), extra_bytes = reader.number(2, "extra length");
  const std::string_view name = reader.take(name_bytes, "name");
  read_extra64(reader.take(extra_bytes, "extra fields"), where, {&bytes, &packed});
  const bool sizes_agree =
      (packed == entry.bytes && bytes == entry.bytes) || ((flags & kSizesBehind) && packed == 0 && bytes == 0);
  if (name != entry.name || local_method != method || local_flags != flags || !sizes_agree) {
    fail(ErrorKind::weights, where, "local header at offset ", entry.header, " contradicts the directory (name \"",
         printable(name), "\", method ", local_method, ", flags ", local_flags, ", sizes ", packed, " and ", bytes,
         "; expected method ", method, ", flags ", flags, ", size ", entry.bytes, ")");
  }
  entry.begin = reader.offset();
  reader.take(entry.bytes, "data");
}

void ZipArchive::require_no_overlap() const {
  std::vector<const ZipEntry*> sorted;
  for (const auto& entry : entries_) sorted.push_back(&entry);
  std::sort(sorted.begin(), sorted.end(), [](const ZipEntry* a, const ZipEntry* b) { return a->header < b->header; });
  for (size_t i = 1; i < sorted.size(); ++i) {
    const uint64_t end = sorted[i - 1]->begin + sorted[i - 1]->bytes;
    if (sorted[i]->header >= end) continue;
    fail(ErrorKind::weights, where_, "zip: entry \"", printable(sorted[i]->name), "\" at offset ", sorted[i]->header,
         " overlaps entry \"", printable(sorted[i - 1]->name), "\", which ends at ", end);
  }
}

}  // namespace keyflow::weights
