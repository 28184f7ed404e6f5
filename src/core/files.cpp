#include "core/files.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/error.h"
#include "core/last_words.h"

namespace keyflow {
namespace {

std::string quoted(const std::filesystem::path& path) { return printable(path.string(), 400); }

struct Descriptor {
  int value = -1;
  ~Descriptor() {
    if (value >= 0) ::close(value);
  }
};

/// Opens for reading without ever waiting for the other end of a pipe, and refuses what is not a regular file.
uint64_t open_regular(const std::filesystem::path& path, Descriptor& file) {
  file.value = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  require(file.value >= 0, ErrorKind::io, quoted(path), ": cannot open: ", std::strerror(errno));
  struct stat info {};
  require(::fstat(file.value, &info) == 0, ErrorKind::io, quoted(path), ": ", std::strerror(errno));
  const char* type = S_ISDIR(info.st_mode) ? "a folder" : S_ISFIFO(info.st_mode) ? "a pipe" : "a device or socket";
  require(S_ISREG(info.st_mode), ErrorKind::io, quoted(path), ": expected a regular file, found ", type);
  return static_cast<uint64_t>(info.st_size);
}

std::filesystem::path folder_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

}  // namespace

MappedFile::MappedFile(std::filesystem::path path, uint8_t* data, uint64_t size)
    : path_(std::move(path)), data_(data), size_(size) {
  if (data_) guard_mapping(data_, size_, quoted(path_));
}

std::shared_ptr<MappedFile> MappedFile::open(const std::filesystem::path& path) {
  Descriptor file;
  const uint64_t size = open_regular(path, file);
  void* data = nullptr;
  if (size > 0) {
    data = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, file.value, 0);
    require(data != MAP_FAILED, ErrorKind::io, quoted(path), ": cannot map ", size, " bytes: ", std::strerror(errno));
  }
  return std::shared_ptr<MappedFile>(new MappedFile(path, static_cast<uint8_t*>(data), size));
}

MappedFile::~MappedFile() {
  if (!data_) return;
  unguard_mapping(data_);
  ::munmap(data_, size_);
}

std::string read_file(const std::filesystem::path& path, uint64_t limit) {
  Descriptor file;
  const uint64_t size = open_regular(path, file);
  require(size <= limit, ErrorKind::io, quoted(path), ": expected at most ", limit, " bytes, found ", size);
  std::string content(size, '\0');
  for (uint64_t done = 0; done < size;) {
    const ssize_t count = ::read(file.value, content.data() + done, size - done);
    if (count < 0 && errno == EINTR) continue;
    require(count >= 0, ErrorKind::io, quoted(path), ": read at byte ", done, ": ", std::strerror(errno));
    require(count > 0, ErrorKind::io, quoted(path), ": expected ", size, " bytes, found ", done);
    done += static_cast<uint64_t>(count);
  }
  return content;
}

AtomicFile::AtomicFile(const std::filesystem::path& target) : target_(target) {
  temporary_ = folder_of(target) / ("." + target.filename().string() + "." + std::to_string(::getpid()) + ".tmp");
  // Muxers choose their format by the name's ending, so the temporary name keeps it.
  temporary_ += target.extension();
  descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  require(descriptor_ >= 0, ErrorKind::io, quoted(target_), ": cannot write: ", std::strerror(errno));
  guard_temporary(temporary_.string());
}

AtomicFile::~AtomicFile() {
  ::close(descriptor_);
  if (!done_) ::unlink(temporary_.c_str());
  unguard_temporary(temporary_.string());
}

void AtomicFile::write(const void* data, size_t bytes) {
  const char* cursor = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t count = ::write(descriptor_, cursor, bytes);
    if (count < 0 && errno == EINTR) continue;
    require(count > 0, ErrorKind::io, quoted(target_), ": cannot write ", bytes, " bytes: ", std::strerror(errno));
    cursor += count;
    bytes -= static_cast<size_t>(count);
  }
}

void AtomicFile::commit() {
  require(::fsync(descriptor_) == 0, ErrorKind::io, quoted(target_), ": fsync: ", std::strerror(errno));
  require(::rename(temporary_.c_str(), target_.c_str()) == 0, ErrorKind::io, quoted(target_),
          ": rename: ", std::strerror(errno));
  done_ = true;
  Descriptor folder{::open(folder_of(target_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (folder.value >= 0) ::fsync(folder.value);
}

void write_file(const std::filesystem::path& path, std::string_view content) {
  AtomicFile file(path);
  file.write(content.data(), content.size());
  file.commit();
}

void require_writable(const std::filesystem::path& path) {
  std::error_code ignored;
  require(!std::filesystem::is_directory(path, ignored), ErrorKind::io, quoted(path),
          ": expected a file name, found a folder");
  require(std::filesystem::is_directory(folder_of(path), ignored), ErrorKind::io, quoted(path), ": the folder ",
          quoted(folder_of(path)), " does not exist");
  AtomicFile probe(path);
}

}  // namespace keyflow
