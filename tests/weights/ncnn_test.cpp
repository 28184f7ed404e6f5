// ncnn networks: what a good pair gives, and every lie that its two files can tell.
#include <gtest/gtest.h>

#include "core/shape.h"
#include "tests/weights/hostile_files.h"
#include "weights/hash.h"
#include "weights/ncnn_param.h"
#include "weights/tensor_file.h"

namespace keyflow::weights::testing {
namespace {

namespace fs = std::filesystem;
using namespace std::string_literals;

const std::string kMagic = "7767517\n";
const std::string kInput = "Input in 0 1 data\n";

std::string floats(int count) { return std::string(static_cast<size_t>(4 * count), '\x3f'); }

/// A convolution of 1 to 2 channels, 3x3, with a bias, in half precision, and its slopes.
const std::string kGood = kMagic + "3 3\n" + kInput +
                          "Convolution Conv_0 1 1 data a 0=2 1=3 4=1 5=1 6=18 -23310=1,2.000000e-01\r\n\n"
                          "PReLU P 1 1 a out 0=2\n";
const std::string kGoodData = "\x47\x6B\x30\x01"s + std::string(36, '\x3c') + floats(2) + floats(2);

/// Writes the pair and returns the half to open.
Hostile pair(const std::string& id, const std::string& param, const std::string& data, std::vector<std::string> names,
             ErrorKind kind = ErrorKind::weights, const std::string& open = "net.param") {
  return {id,
          [=](const fs::path& folder) {
            write_bytes(folder / "net.param", param);
            write_bytes(folder / "net.bin", data);
            return folder / open;
          },
          kind, std::move(names)};
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  EXPECT_NE(at, text.npos) << from;
  return text.replace(at, from.size(), to);
}

Hostile bad_text(const std::string& id, const std::string& from, const std::string& to, std::vector<std::string> names,
                 ErrorKind kind = ErrorKind::weights) {
  return pair(id, replaced(kGood, from, to), kGoodData, std::move(names), kind);
}

TEST(Ncnn, ReadsAPairByEitherHalf) {
  const ScratchFolder folder;
  write_bytes(folder.path() / "net.param", kGood);
  write_bytes(folder.path() / "net.bin", kGoodData);
  for (const char* half : {"net.param", "net.bin"}) {
    const auto file = open_tensors(folder.path() / half);
    EXPECT_EQ(file->format(), "ncnn");
    EXPECT_EQ(file->path().filename(), "net.param");
    EXPECT_EQ(file->metadata().at("ncnn"), kGood);
    ASSERT_EQ(file->tensors().size(), 3u);
    const TensorInfo* weight = file->find("Convolution.0000.weight");
    ASSERT_TRUE(weight);
    EXPECT_EQ(shape_text(weight->shape), "[2, 1, 3, 3]");
    EXPECT_EQ(weight->dtype, at::kHalf);
    EXPECT_EQ(shape_text(file->read("Convolution.0000.bias").sizes()), "[2]");
    EXPECT_EQ(shape_text(file->read("PReLU.0000.weight").sizes()), "[2]");
    EXPECT_NEAR(file->read("Convolution.0000.weight").max().item<double>(), 1.058, 1e-3);  // 0x3c3c
    EXPECT_EQ(model_hash(*file).size(), 64u);
  }
}

TEST(Ncnn, OddHalvesAreFilledUp) {
  const ScratchFolder folder;
  write_bytes(folder.path() / "net.param", kMagic + "2 2\n" + kInput + "Convolution C 1 1 data out 0=1 1=3 5=1 6=9\n");
  write_bytes(folder.path() / "net.bin", "\x47\x6B\x30\x01"s + std::string(18, '\x3c') + "\0\0"s + floats(1));
  EXPECT_NEAR(open_tensors(folder.path() / "net.bin")->read("Convolution.0000.bias").item<double>(), 0.747, 1e-3);
}

/// Weights in single precision begin with a zero, which names no format: the description beside them does.
TEST(Ncnn, SinglePrecisionIsFoundByItsDescription) {
  const ScratchFolder folder;
  write_bytes(folder.path() / "net.param", kMagic + "2 2\n" + kInput + "Convolution C 1 1 data out 0=1 1=3 6=9\n");
  write_bytes(folder.path() / "net.bin", "\0\0\0\0"s + floats(9));
  EXPECT_EQ(open_tensors(folder.path() / "net.bin")->tensors().at(0).dtype, at::kFloat);
}

TEST(Ncnn, ParametersAndArrays) {
  const auto layers = parse_ncnn_param(kGood, "net.param");
  ASSERT_EQ(layers.size(), 3u);
  EXPECT_EQ(layers[1].type, "Convolution");
  EXPECT_EQ(layers[1].name, "Conv_0");
  EXPECT_EQ(layers[1].inputs, std::vector<std::string>{"data"});
  EXPECT_EQ(layers[1].number(6, 0), 18);
  EXPECT_EQ(layers[1].number(9, 7), 7);
  EXPECT_EQ(layers[1].arrays.at(10), std::vector<double>{0.2});
}

class NcnnHostile : public ::testing::TestWithParam<Hostile> {};
TEST_P(NcnnHostile, IsRefused) { expect_refused(GetParam()); }

INSTANTIATE_TEST_SUITE_P(
    Text, NcnnHostile,
    ::testing::Values(pair("no_counts", kMagic, kGoodData, {"line 1", "counts of layers and blobs"}),
                      bad_text("counts_negative", "3 3", "-3 3", {"line 2", "layers", "\"-3\""}),
                      bad_text("counts_huge", "3 3", "99999999999 3", {"line 2", "99999999999"}),
                      bad_text("too_few_layers", "3 3", "4 3", {"expected 4 layers, found 3"}),
                      bad_text("too_many_layers", "3 3", "2 3", {"expected 2 layers, found more"}),
                      bad_text("short_line", "Input in 0 1 data", "Input in", {"line 3", "found 2 words"}),
                      bad_text("outputs_lie", "Input in 0 1 data", "Input in 0 1000000 data", {"1000000 outputs"}),
                      bad_text("inputs_lie", "Input in 0 1 data", "Input in 9223372036854775807 1 data",
                               {"9223372036854775807"}),
                      bad_text("unknown_input", "1 1 data a", "1 1 nothing a", {"line 4", "\"nothing\""}),
                      bad_text("output_twice", "1 1 a out", "1 1 a a", {"\"a\"", "twice"}),
                      bad_text("no_parameter", "0=2 1=3", "0:2 1=3", {"\"0:2\""}),
                      bad_text("nan", "0=2 1=3", "0=nan 1=3", {"nan"}),
                      bad_text("parameter_twice", "0=2 1=3", "0=2 0=3", {"parameter 0", "twice"}),
                      bad_text("array_lies", "-23310=1,", "-23310=7,", {"array with its length"}),
                      bad_text("terminal_codes", "Conv_0", "Co\x1b[31m", {"line 4"}),
                      bad_text("fraction", "0=2 1=3", "0=2.5 1=3", {"Conv_0", "parameter 0", "2.5"}),
                      bad_text("kernel_0", "1=3", "1=0", {"Conv_0", "parameter 1", "from 1 to 255"}),
                      bad_text("no_multiple", "6=18", "6=19", {"Conv_0", "19", "2 outputs x 3x3"}),
                      bad_text("weights_huge", "6=18", "6=1e18", {"parameter 6", "1e+18"}),
                      bad_text("eight_bits", "5=1", "5=1 8=2", {"Conv_0", "8 bits"}, ErrorKind::unsupported),
                      bad_text("unknown_layer", "PReLU", "LSTM", {"\"P\"", "LSTM"}, ErrorKind::unsupported)),
    row_name);

INSTANTIATE_TEST_SUITE_P(
    Data, NcnnHostile,
    ::testing::Values(
        pair("cut", kGood, kGoodData.substr(0, 20), {"net.bin", "offset 4", "expected 36 bytes, found 16"}),
        pair("cut_tag", kGood, kGoodData.substr(0, 3), {"net.bin", "tag"}),
        pair("cut_slopes", kGood, kGoodData.substr(0, kGoodData.size() - 1), {"PReLU.0000.weight"}),
        pair("longer", kGood, kGoodData + "\0"s, {"net.bin", "expected 56 bytes", "found 57"}),
        pair("empty", kGood, "", {"net.bin", "found 0"}),
        pair("int8", kGood, "\x38\x4B\x0D\x00"s + kGoodData.substr(4), {"net.bin", "Conv_0", "found the tag 871224"},
             ErrorKind::unsupported),
        pair("no_weights", kMagic + "1 1\n" + kInput, "", {"at least one layer with weights"}),
        pair("more_than_the_file", replaced(kGood, "6=18", "6=1073741796"), kGoodData, {"expected 2147483592 bytes"}),
        Hostile{"half_alone",
                [](const fs::path& folder) {
                  write_bytes(folder / "net.bin", kGoodData);
                  return folder / "net.bin";
                },
                ErrorKind::weights,
                {"half of an ncnn network", "net.param"}},
        Hostile{"text_alone",
                [](const fs::path& folder) {
                  write_bytes(folder / "net.param", kGood);
                  return folder / "net.param";
                },
                ErrorKind::weights,
                {"half of an ncnn network", "net.bin"}}),
    row_name);

TEST(Ncnn, ACutFileIsAlwaysRefused) {
  for (size_t end = 0; end < kGood.size() - 1; end += 5) {
    expect_refused(pair("cut" + std::to_string(end), kGood.substr(0, end), kGoodData, {}));
  }
}

}  // namespace
}  // namespace keyflow::weights::testing
