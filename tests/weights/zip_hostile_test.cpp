// robustness.md §5: zip archives that lie, and containers that are refused in one line.
#include <cstring>
#include <fstream>

#include "tests/weights/pickle_bytes.h"
#include "weights/tensor_file.h"

namespace keyflow::weights::testing {
namespace {

using namespace std::string_literals;

Hostile zip_row(const std::string& id, const std::string& bytes, std::vector<std::string> names,
                ErrorKind kind = ErrorKind::weights) {
  return bytes_row(id, bytes, std::move(names), kind, "model.pth");
}

/// End record of a zip64 archive: `count` entries, a directory of `bytes` at `offset`.
std::string end64(uint64_t here, uint64_t count, uint64_t bytes, uint64_t offset) {
  return "PK\6\6" + little(44, 8) + little(45, 4) + little(0, 8) + little(count, 8) + little(count, 8) +
         little(bytes, 8) + little(offset, 8) + "PK\6\7" + little(0, 4) + little(here, 8) + little(1, 4) + "PK\5\6" +
         little(0, 4) + little(0xFFFF, 2) + little(0xFFFF, 2) + little(0xFFFFFFFF, 4) + little(0xFFFFFFFF, 4) +
         little(0, 2);
}

std::string directory_at(uint64_t bytes, uint64_t offset) {
  return "PK\3\4" + std::string(26, '\0') + "PK\5\6" + little(0, 4) + little(1, 2) + little(1, 2) + little(bytes, 4) +
         little(offset, 4) + little(0, 2);
}

const std::string kPickle = op::pickle("}");
const std::string kStart = "PK\3\4" + std::string(26, '\0');

std::vector<Hostile> archive_rows() {
  std::string tar(512, '\0');
  tar.replace(257, 5, "ustar");
  std::string noise;
  uint32_t state = 99;
  for (int i = 0; i < 4096; ++i) noise += static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
  return {
      zip_row("P05_other_entry", zip({{"x", "1"}}), {"data.pkl", "1 entries", "\"x\""}),
      zip_row("P05_empty", "PK\5\6" + std::string(18, '\0'), {"data.pkl", "0 entries"}),
      zip_row("P05_two", zip({{"a/data.pkl", kPickle}, {"b/data.pkl", kPickle}}), {"two entries data.pkl"}),
      zip_row("P05_no_tensors", checkpoint(kPickle), {"found 0 tensors"}),
      zip_row("P06", noise, {"not a zip or pickle"}),
      zip_row("P13_no_end", kStart, {"end record"}),
      zip_row("P13_outside", directory_at(46, 1'000'000), {"directory of 46 bytes at offset 1000000", "outside"}),
      zip_row("P13_too_long", directory_at(1'000'000, 0), {"directory of 1000000 bytes", "outside"}),
      zip_row("P13_count", zip({{"archive/data.pkl", kPickle}}, 9), {"9 entries do not fit"}),
      zip_row("P13_65535", zip({{"archive/data.pkl", kPickle}}, 65535), {"zip64"}),
      zip_row("P13_zip64_count", kStart + end64(kStart.size(), uint64_t{1} << 40, 0, 0), {"1099511627776 entries"}),
      zip_row("P13_zip64_directory", kStart + end64(kStart.size(), 1, uint64_t{1} << 63, 0),
              {"9223372036854775808", "outside"}),
      zip_row("P13_zip64_offset", kStart + end64(kStart.size(), 1, 46, ~uint64_t{0}),
              {"18446744073709551615", "outside"}),
      zip_row("P13_zip64_record", kStart + end64(uint64_t{1} << 62, 1, 46, 0), {"4611686018427387904", "outside"}),
      zip_row("P13_size", zip({{.name = "archive/data.pkl", .bytes = kPickle, .directory_size = 0x7fffffff}}),
              {"archive/data.pkl", "2147483647", "outside"}),
      zip_row("P13_offset", zip({{.name = "archive/data.pkl", .bytes = kPickle, .offset = 0x7fffffff}}),
              {"archive/data.pkl", "2147483647", "outside"}),
      zip_row("P13_wrong_offset", zip({{.name = "archive/data.pkl", .bytes = kPickle, .offset = 3}}),
              {"archive/data.pkl", "local header at offset 3"}),
      zip_row("P13_overlap",
              zip({{"archive/data.pkl", kPickle},
                   {.name = "archive/data.pkl2", .bytes = "x", .local_name = "archive/data.pkl2", .offset = 0}}),
              {"archive/data.pkl2", "contradicts"}),
      zip_row("P13_nested",
              zip({{"outer", zip({{"archive/data.pkl", kPickle}})},
                   {.name = "archive/data.pkl",
                    .bytes = "",
                    .directory_size = static_cast<int64_t>(kPickle.size()),
                    .offset = 35}}),
              {"archive/data.pkl", "overlaps entry \"outer\""}),
      zip_row("P13_twice", zip({{"archive/data.pkl", kPickle}, {"archive/data.pkl", kPickle}}),
              {"archive/data.pkl", "twice"}),
      zip_row("P13_local_name", zip({{.name = "archive/data.pkl", .bytes = kPickle, .local_name = "archive/data.evl"}}),
              {"archive/data.pkl", "archive/data.evl", "contradicts"}),
      zip_row("P13_local_size", zip({{.name = "archive/data.pkl", .bytes = kPickle, .directory_size = 3}}),
              {"archive/data.pkl", "contradicts", "size 3"}),
      zip_row("P14_deflated", zip({{.name = "archive/data.pkl", .bytes = "\x4b\x04\x00"s, .method = 8}}),
              {"archive/data.pkl", "compressed (method 8"}, ErrorKind::unsupported),
      zip_row("P14_encrypted", zip({{.name = "archive/data.pkl", .bytes = kPickle, .flags = 1}}),
              {"archive/data.pkl", "encrypted"}, ErrorKind::unsupported),
      zip_row("P14_dots", zip({{"../data.pkl", kPickle}}), {"../data.pkl", "climbs"}),
      zip_row("P14_absolute", zip({{"/data.pkl", kPickle}}), {"/data.pkl", "absolute"}),
      zip_row("P14_newline", zip({{"x\nerror: y", kPickle}}), {"x\\x0aerror: y"}),
      zip_row("P15_big", zip({{"archive/data.pkl", kPickle}, {"archive/byteorder", "big"}}), {"byteorder", "big"},
              ErrorKind::unsupported),
      zip_row("P15_script",
              zip({{"archive/code/__torch__.py", "x"}, {"archive/data.pkl", kPickle}, {"archive/constants.pkl", "x"}}),
              {"TorchScript"}, ErrorKind::unsupported),
      zip_row("P15_tar", tar, {"tar", "cannot be read yet"}, ErrorKind::unsupported),
  };
}

class ZipHostile : public ::testing::TestWithParam<Hostile> {};
TEST_P(ZipHostile, IsRefused) { expect_refused(GetParam()); }

INSTANTIATE_TEST_SUITE_P(, ZipHostile, ::testing::ValuesIn(archive_rows()), row_name);

/// An archive beyond 4 GiB as torch writes one: storage sizes and offsets in zip64 fields. Sparse: it takes no room.
TEST(Zip64, AStorageBeyond4GibIsRead) {
  const uint64_t bytes = (uint64_t{1} << 32) + 16;
  const std::string data_name = "archive/data/0", pickle_name = "archive/data.pkl";
  const std::string pickle =
      op::pickle(op::dict({{"a", op::tensor(op::storage("ByteStorage", "0", static_cast<int64_t>(bytes)),
                                            static_cast<int64_t>(bytes - 4), {4}, {1})}}));
  const auto local = [](const std::string& name, uint64_t size) {
    return "PK\3\4" + little(20, 2) + little(8, 2) + little(0, 10) + little(size, 4) + little(size, 4) +
           little(name.size(), 2) + little(0, 2) + name;
  };
  // A set flag bit 3 lets the local header leave the sizes out.
  const std::string start = local(data_name, 0);
  const uint64_t second = start.size() + bytes;
  const std::string after = "\1\2\3\4" + local(pickle_name, 0) + pickle;
  const uint64_t directory = second + after.size() - 4;
  const auto central = [](const std::string& name, uint64_t size, uint64_t offset, const std::string& extra) {
    return "PK\1\2" + little(20, 4) + little(8, 2) + little(0, 10) + little(size, 4) + little(size, 4) +
           little(name.size(), 2) + little(extra.size(), 2) + little(0, 10) + little(offset, 4) + name + extra;
  };
  const uint64_t ones = 0xFFFFFFFF;
  const std::string list =
      central(data_name, ones, 0, little(1, 2) + little(16, 2) + little(bytes, 8) + little(bytes, 8)) +
      central(pickle_name, pickle.size(), ones, little(1, 2) + little(8, 2) + little(second, 8));
  ScratchFolder scratch;
  const auto path = scratch.path() / "model.pth";
  write_bytes(path, start);
  std::filesystem::resize_file(path, second - 4);
  std::ofstream(path, std::ios::binary | std::ios::app)
      << after << list << end64(directory + list.size(), 2, list.size(), directory);
  const auto file = open_tensors(path);
  const at::Tensor a = file->read("a");
  ASSERT_EQ(a.nbytes(), 4u);
  EXPECT_EQ(std::memcmp(a.const_data_ptr(), "\1\2\3\4", 4), 0);
}

TEST(ZipCut, P16_AtEvery64thIsRefused) {
  const std::string valid = one_tensor({2, 2}, {2, 1});
  for (size_t part = 0; part < 64; ++part) {
    const size_t size = valid.size() * part / 64;
    expect_refused(
        bytes_row("P16 " + std::to_string(part), valid.substr(0, size), {}, ErrorKind::weights, "model.pth"));
  }
}

TEST(ZipFlip, AnyOneBytePossiblyWrongNeverGoesBeyondAnError) {
  const std::string valid = one_tensor({2, 2}, {2, 1});
  ScratchFolder scratch;
  const auto path = scratch.path() / "model.pth";
  size_t refused = 0;
  for (size_t i = 0; i < valid.size(); ++i) {
    constexpr std::array<int, 3> kFlips = {0x01, 0x80, 0xFF};
    std::string bytes = valid;
    bytes[i] = static_cast<char>(bytes[i] ^ kFlips[i % 3]);
    write_bytes(path, bytes);
    try {
      const auto file = open_tensors(path);
      for (const auto& info : file->tensors()) file->read(info.name);
    } catch (const Error& error) {
      EXPECT_NE(error.kind(), ErrorKind::internal) << error.what();
      ++refused;
    }
  }
  EXPECT_GT(refused, valid.size() / 2);
}

}  // namespace
}  // namespace keyflow::weights::testing
