#pragma once
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"

// Builders of broken files, byte by byte, and the contract that every one of them is checked against.
namespace keyflow::weights::testing {

/// A fresh folder, removed with everything in it.
class ScratchFolder {
 public:
  ScratchFolder();
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

void write_bytes(const std::filesystem::path& path, std::string_view bytes);

/// `count` bytes of `number`, little-endian.
std::string little(uint64_t number, int count);

/// H(json)+zeros of robustness.md: 8 bytes of length, the JSON, zero bytes.
std::string safetensors(std::string_view json, size_t zeros = 0);

/// A valid safetensors file with one F32 tensor of two elements.
std::string small_safetensors(const std::string& name = "a");

/// One row of robustness.md. `make` fills the (empty) folder and returns the path to open.
struct Hostile {
  std::string id;
  std::function<std::filesystem::path(const std::filesystem::path& folder)> make;
  ErrorKind kind = ErrorKind::weights;
  std::vector<std::string> names;
};

/// A row whose file is just these bytes.
Hostile bytes_row(std::string id, std::string bytes, std::vector<std::string> names,
                  ErrorKind kind = ErrorKind::weights, std::string file_name = "model.safetensors");

/// Opens the file and reads its tensors; expects an Error of the right kind on one line that names the file and
/// what the row says, no allocation sized by a number of the file, and nothing new in the folder.
void expect_refused(const Hostile& row);

/// For INSTANTIATE_TEST_SUITE_P: the id, with characters that gtest forbids replaced.
std::string row_name(const ::testing::TestParamInfo<Hostile>& info);
void PrintTo(const Hostile& row, std::ostream* out);

/// Bytes allocated through operator new now, and the most there were since reset_peak_allocation().
void reset_peak_allocation();
uint64_t peak_allocation();

}  // namespace keyflow::weights::testing
