#include "media/sample_media.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <unistd.h>

#include <array>
#include <cmath>
#include <cstring>
#include <fstream>
#include <sstream>

namespace keyflow::media {

TempFolder::TempFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "keyflow-media-XXXXXX").string();
  require(::mkdtemp(name.data()) != nullptr, ErrorKind::io, name, ": cannot make a folder");
  path_ = name;
}

TempFolder::~TempFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::vector<std::string> TempFolder::names() const {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(path_))
    names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

at::Tensor moving_frame(int64_t index, int64_t height, int64_t width) {
  at::Tensor frame = at::empty({3, height, width}, at::kByte);  // [3, H, W]
  uint8_t* out = frame.data_ptr<uint8_t>();
  const auto t = static_cast<double>(index);
  for (int64_t i = 0; i < height * width; ++i) {
    const auto x = static_cast<double>(i % width), y = static_cast<double>(i / width);
    const std::array phases = {x / 9 + t / 2, y / 7 - t / 3, (x + y) / 13 + t};
    for (size_t c = 0; c < 3; ++c) {
      out[static_cast<int64_t>(c) * height * width + i] = static_cast<uint8_t>(127.5 + 80 * std::sin(phases[c]));
    }
  }
  return frame;
}

at::Tensor read_ppm(const std::filesystem::path& path) {
  std::istringstream file(bytes_of(path));
  std::string magic;
  int64_t width = 0, height = 0, largest = 0;
  file >> magic >> width >> height >> largest;
  file.get();
  require(magic == "P6" && largest == 255 && width > 0 && height > 0, ErrorKind::io, path.string(), ": not a PPM");
  at::Tensor pixels = at::empty({height, width, 3}, at::kByte);  // [H, W, 3]
  file.read(reinterpret_cast<char*>(pixels.data_ptr<uint8_t>()), pixels.numel());
  require(file.gcount() == pixels.numel(), ErrorKind::io, path.string(), ": cut short");
  return pixels.permute({2, 0, 1}).contiguous();  // [3, H, W]
}

at::Tensor read_raw(const std::filesystem::path& path, at::ScalarType type, at::IntArrayRef shape) {
  const std::string bytes = bytes_of(path);
  at::Tensor tensor = at::empty(shape, type);
  require(bytes.size() == tensor.nbytes(), ErrorKind::io, path.string(), ": another size");
  std::memcpy(tensor.data_ptr(), bytes.data(), bytes.size());
  return tensor;
}

double psnr_db(const at::Tensor& a, const at::Tensor& b) {
  require(a.sizes() == b.sizes(), ErrorKind::shape, "compared tensors differ in shape");
  const at::Tensor first = a.contiguous(), second = b.contiguous();
  double error = 0;
  for (int64_t i = 0; i < a.numel(); ++i) {
    const double difference = first.const_data_ptr<uint8_t>()[i] - second.const_data_ptr<uint8_t>()[i];
    error += difference * difference / static_cast<double>(a.numel());
  }
  return error == 0 ? 100 : 10 * std::log10(255.0 * 255.0 / error);
}

double largest_difference(const at::Tensor& a, const at::Tensor& b) {
  require(a.sizes() == b.sizes(), ErrorKind::shape, "compared tensors differ in shape");
  return (a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>();
}

std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  require(file.good(), ErrorKind::io, path.string(), ": cannot open");
  std::ostringstream content;
  content << file.rdbuf();
  return content.str();
}

void write_bytes(const std::filesystem::path& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

}  // namespace keyflow::media
