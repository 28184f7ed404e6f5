#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/files.h"

namespace keyflow::weights {

/// A stored (not compressed) entry: its bytes as they lie in the file.
struct ZipEntry {
  std::string name;
  uint64_t header = 0;  ///< offset of the local header
  uint64_t begin = 0, bytes = 0;
};

/// The directory of a zip archive (zip64 too), with every entry checked against the file: no entry outside, none over
/// another, no name twice, none that climbs out of the archive, local headers as the directory says. Compressed and
/// encrypted entries are refused: torch stores plainly.
class ZipArchive {
 public:
  /// throws Error::weights, Error::unsupported
  explicit ZipArchive(std::shared_ptr<MappedFile> file);

  /// nullptr if absent
  const ZipEntry* find(const std::string& name) const;
  /// in the order of the directory
  const std::vector<ZipEntry>& entries() const { return entries_; }

 private:
  void read_directory(uint64_t begin, uint64_t bytes, uint64_t count);
  void locate(ZipEntry& entry, uint64_t directory, uint64_t flags, uint64_t method);
  void require_no_overlap() const;

  std::shared_ptr<MappedFile> file_;
  std::string where_;
  std::vector<ZipEntry> entries_;
  std::unordered_map<std::string, size_t> index_;
};

}  // namespace keyflow::weights
