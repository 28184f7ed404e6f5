#include "tests/weights/hostile_files.h"

#include <malloc.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <new>

#include "weights/tensor_file.h"

namespace {

std::atomic<int64_t> live{0}, peak{0}, base{0};

void* counted(size_t bytes) {
  void* block = std::malloc(bytes);
  if (!block) throw std::bad_alloc();
  const int64_t now = live += static_cast<int64_t>(malloc_usable_size(block));
  int64_t before = peak;
  while (now > before && !peak.compare_exchange_weak(before, now)) {
  }
  return block;
}

void uncounted(void* block) {
  live -= static_cast<int64_t>(malloc_usable_size(block));
  std::free(block);
}

}  // namespace

void* operator new(size_t bytes) { return counted(bytes); }
void* operator new[](size_t bytes) { return counted(bytes); }
void operator delete(void* block) noexcept { uncounted(block); }
void operator delete[](void* block) noexcept { uncounted(block); }
void operator delete(void* block, size_t) noexcept { uncounted(block); }
void operator delete[](void* block, size_t) noexcept { uncounted(block); }

namespace keyflow::weights::testing {
namespace fs = std::filesystem;

void reset_peak_allocation() {
  base = live.load();
  peak = live.load();
}

uint64_t peak_allocation() { return static_cast<uint64_t>(std::max<int64_t>(peak - base, 0)); }

ScratchFolder::ScratchFolder() {
  static std::atomic<int> count{0};
  path_ = fs::temp_directory_path() / c10::str("keyflow_test_", ::getpid(), "_", count++);
  fs::remove_all(path_);
  fs::create_directories(path_);
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

void write_bytes(const fs::path& path, std::string_view bytes) {
  std::ofstream out(path, std::ios::binary);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  ASSERT_TRUE(out.good()) << path;
}

std::string little(uint64_t number, int count) {
  std::string bytes;
  for (int i = 0; i < count; ++i) bytes += i < 8 ? static_cast<char>(number >> (8 * i)) : 0;
  return bytes;
}

std::string safetensors(std::string_view json, size_t zeros) {
  return little(json.size(), 8) + std::string(json) + std::string(zeros, '\0');
}

std::string small_safetensors(const std::string& name) {
  return safetensors(R"({")" + name + R"(":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 8);
}

Hostile bytes_row(std::string id, std::string bytes, std::vector<std::string> names, ErrorKind kind,
                  std::string file_name) {
  names.push_back(file_name);
  return {std::move(id),
          [bytes = std::move(bytes), file_name](const fs::path& folder) {
            write_bytes(folder / file_name, bytes);
            return folder / file_name;
          },
          kind, std::move(names)};
}

namespace {

std::vector<std::string> listing(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) names.push_back(entry.path().string());
  std::sort(names.begin(), names.end());
  return names;
}

uint64_t bytes_in(const fs::path& folder) {
  uint64_t sum = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_symlink() && entry.is_regular_file()) sum += entry.file_size();
  }
  return sum;
}

}  // namespace

void expect_refused(const Hostile& row) {
  ScratchFolder scratch;
  const fs::path path = row.make(scratch.path());
  const auto before = listing(scratch.path());
  reset_peak_allocation();
  try {
    const auto file = open_tensors(path);
    for (const auto& info : file->tensors()) file->read(info.name);
    ADD_FAILURE() << row.id << ": accepted, with " << file->tensors().size() << " tensors";
  } catch (const Error& error) {
    const std::string text = error.what();
    EXPECT_EQ(name_of(error.kind()), name_of(row.kind)) << text;
    for (const auto& name : row.names)
      EXPECT_NE(text.find(name), std::string::npos) << "no '" << name << "' in: " << text;
    const std::string first = text.substr(0, text.find('\n'));
    EXPECT_EQ(printable(first, first.size() + 1), first) << "control characters";
    for (size_t at = text.find('\n'); at != std::string::npos; at = text.find('\n', at + 1)) {
      EXPECT_EQ(text.substr(at + 1, 2), "  ") << "only indented items may follow the first line: " << text;
    }
    EXPECT_LT(first.size(), 1200u) << first;
  }
  EXPECT_LE(peak_allocation(), (uint64_t{64} << 20) + 4 * bytes_in(scratch.path()));
  EXPECT_EQ(listing(scratch.path()), before);
  EXPECT_FALSE(fs::exists("PWNED"));
}

std::string row_name(const ::testing::TestParamInfo<Hostile>& info) {
  std::string name = info.param.id;
  for (char& c : name) {
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  }
  return name;
}

void PrintTo(const Hostile& row, std::ostream* out) { *out << row.id; }

}  // namespace keyflow::weights::testing
