#include <cstdio>
#include <exception>

#include "core/error.h"
#include "core/files.h"
#include "core/interrupt.h"
#include "core/memory.h"
#include "train/options.h"

// The trainer as a program of its own, for machines that have libtorch and nothing else:
//   keyflow-train vae --data data.safetensors --out run --frames 1
namespace {

using keyflow::ErrorKind;

void print(const std::string& line) {
  std::puts(line.c_str());
  std::fflush(stdout);
}

/// A binary PPM, which needs no library.
void write_ppm(const std::filesystem::path& name, const at::Tensor& rgb) {
  const at::Tensor rows = rgb.permute({1, 2, 0}).contiguous();  // [H, W, 3]
  std::string bytes = c10::str("P6\n", rgb.size(2), " ", rgb.size(1), "\n255\n");
  bytes.append(reinterpret_cast<const char*>(rows.const_data_ptr<uint8_t>()), static_cast<size_t>(rows.numel()));
  keyflow::write_file(name.string() + ".ppm", bytes);
}

keyflow::train::Options read_options(int count, char** words) {
  keyflow::train::Options options;
  for (int i = 2; i < count; i += 2) {
    const std::string name = words[i];
    keyflow::require(name.starts_with("--") && i + 1 < count, ErrorKind::usage, keyflow::printable(name),
                     ": expected --name value");
    options[name.substr(2)] = words[i + 1];
  }
  return options;
}

}  // namespace

int main(int count, char** words) {
  try {
    keyflow::install_signal_handlers();
    keyflow::tune_allocator();
    keyflow::require(count > 1, ErrorKind::usage,
                     "expected a stage: vae, vae-quality, latents or dit, then --name value pairs");
    keyflow::train::run_stage(words[1], read_options(count, words), {print, write_ppm});
    return 0;
  } catch (const keyflow::Error& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    if (error.kind() == ErrorKind::interrupted) return 128 + keyflow::pending_signal();
    return error.kind() == ErrorKind::usage || error.kind() == ErrorKind::config ? 2 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: internal: %s\n", error.what());
    return 1;
  }
}
