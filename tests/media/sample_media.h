#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"

namespace keyflow::media {

/// A folder of its own that is removed at the end.
class TempFolder {
 public:
  TempFolder();
  ~TempFolder();
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }

  /// Names in it, hidden ones too, sorted.
  std::vector<std::string> names() const;

 private:
  std::filesystem::path path_;
};

/// [3, H, W] uint8: smooth colours that move with `index`.
at::Tensor moving_frame(int64_t index, int64_t height, int64_t width);

/// A binary PPM as [3, H, W] uint8.
at::Tensor read_ppm(const std::filesystem::path& path);

/// Raw float32 or bytes of a file.
at::Tensor read_raw(const std::filesystem::path& path, at::ScalarType type, at::IntArrayRef shape);

/// Peak signal-to-noise ratio of two uint8 tensors in dB; 100 for equal ones.
double psnr_db(const at::Tensor& a, const at::Tensor& b);

/// Largest absolute difference.
double largest_difference(const at::Tensor& a, const at::Tensor& b);

std::string bytes_of(const std::filesystem::path& path);

void write_bytes(const std::filesystem::path& path, std::string_view bytes);

/// Kind and text of the Error that the call throws; fails the test when it throws none.
struct Caught {
  bool thrown = false;
  ErrorKind kind = ErrorKind::internal;
  std::string text;
};

template <class Call>
Caught caught(Call&& call) {
  try {
    call();
  } catch (const Error& error) {
    return {true, error.kind(), error.what()};
  }
  return {};
}

#define EXPECT_ERROR(call, expected_kind, ...)                                                          \
  do {                                                                                                  \
    const auto error = ::keyflow::media::caught([&] { call; });                                         \
    ASSERT_TRUE(error.thrown) << "no Error from " #call;                                                \
    EXPECT_EQ(name_of(error.kind), name_of(expected_kind)) << error.text;                               \
    EXPECT_EQ(error.text.find('\n'), std::string::npos) << error.text;                                  \
    for (const std::string& word : std::vector<std::string>{__VA_ARGS__}) {                             \
      EXPECT_NE(error.text.find(word), std::string::npos) << "no \"" << word << "\" in " << error.text; \
    }                                                                                                   \
  } while (false)

}  // namespace keyflow::media
