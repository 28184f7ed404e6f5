#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace keyflow {

/// A regular file mapped for reading. The mapping is private and writable (copy on write: torch has no
/// read-only tensors), reserves no swap, and lives as long as this object.
class MappedFile {
 public:
  /// throws Error::io for anything but a readable regular file; never blocks on a FIFO or a device
  static std::shared_ptr<MappedFile> open(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const std::filesystem::path& path() const { return path_; }
  uint64_t size() const { return size_; }
  uint8_t* data() const { return data_; }

 private:
  MappedFile(std::filesystem::path path, uint8_t* data, uint64_t size);
  std::filesystem::path path_;
  uint8_t* data_;
  uint64_t size_;
};

/// The whole regular file, at most `limit` bytes; throws Error::io.
std::string read_file(const std::filesystem::path& path, uint64_t limit);

/// Writes a file so that the name either keeps its old content or has all of the new one: temporary name in
/// the same folder, write, fsync, rename, fsync of the folder. Destroyed without commit(), it leaves nothing.
class AtomicFile {
 public:
  explicit AtomicFile(const std::filesystem::path& target);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  /// The temporary name, for writers that open files themselves (video muxers).
  const std::filesystem::path& temporary() const { return temporary_; }
  void write(const void* data, size_t bytes);
  void commit();

 private:
  std::filesystem::path target_, temporary_;
  int descriptor_ = -1;
  bool done_ = false;
};

/// AtomicFile in one call.
void write_file(const std::filesystem::path& path, std::string_view content);

/// Throws Error::io unless a file could be created at `path` (folder exists, is writable, name fits, not a folder).
void require_writable(const std::filesystem::path& path);

}  // namespace keyflow
