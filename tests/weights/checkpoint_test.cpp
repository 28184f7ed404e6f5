// Checkpoints as torch.save writes them (checkpoint_reference.py), against the same values in safetensors.
#include <gtest/gtest.h>

#include <cstring>

#include "tests/weights/hostile_files.h"
#include "weights/tensor_file.h"

namespace keyflow::weights {
namespace {

namespace fs = std::filesystem;

const fs::path kReference = fs::path(KEYFLOW_BINARY_DIR) / "reference/torch_checkpoints";

class Checkpoints : public ::testing::TestWithParam<const char*> {};

TEST_P(Checkpoints, HoldTheSameNamesTypesAndBytes) {
  const auto expected = open_tensors(kReference / (std::string(GetParam()) + ".safetensors"));
  const auto file = open_tensors(kReference / (std::string(GetParam()) + ".pth"));
  EXPECT_EQ(file->format(), "pickle");
  ASSERT_EQ(file->tensors().size(), expected->tensors().size());
  for (size_t i = 0; i < file->tensors().size(); ++i) {
    const TensorInfo &a = file->tensors()[i], &b = expected->tensors()[i];
    ASSERT_EQ(a.name, b.name);
    EXPECT_EQ(a.dtype, b.dtype) << a.name;
    EXPECT_EQ(a.shape, b.shape) << a.name;
    const at::Tensor x = file->read(a.name), y = expected->read(a.name);
    ASSERT_TRUE(x.is_contiguous()) << a.name;
    ASSERT_EQ(x.nbytes(), y.nbytes()) << a.name;
    EXPECT_TRUE(x.nbytes() == 0 || std::memcmp(x.const_data_ptr(), y.const_data_ptr(), x.nbytes()) == 0) << a.name;
  }
}

INSTANTIATE_TEST_SUITE_P(, Checkpoints,
                         ::testing::Values("state_dict", "legacy", "protocol4", "protocol5", "views", "legacy_views",
                                           "dtypes", "parameters", "training", "legacy_training", "model_state",
                                           "params_ema", "embedding", "alone", "many"),
                         [](const auto& info) { return std::string(info.param); });

TEST(Checkpoint, P17_TiedTensorsShareTheMappedBytes) {
  const auto file = open_tensors(kReference / "views.pth");
  EXPECT_EQ(file->read("whole").const_data_ptr(), file->read("tied").const_data_ptr());
  EXPECT_EQ(file->read("row").const_data_ptr(), static_cast<const float*>(file->read("whole").const_data_ptr()) + 12);
}

TEST(Checkpoint, LegacyStreamIsMappedAndMisalignedStoragesAreCopied) {
  const auto file = open_tensors(kReference / "legacy.pth");
  for (const auto& info : file->tensors()) {
    const at::Tensor x = file->read(info.name);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(x.const_data_ptr()) % x.element_size(), 0u) << info.name;
  }
}

TEST(Checkpoint, P16_LegacyStreamCutAtEvery64thIsRefused) {
  const std::string valid = read_file(kReference / "legacy.pth", 1 << 20);
  for (size_t part = 0; part < 64; ++part) {
    testing::expect_refused(
        testing::bytes_row("P16", valid.substr(0, valid.size() * part / 64), {}, ErrorKind::weights, "model.pth"));
  }
  testing::expect_refused(
      testing::bytes_row("tail", valid + "x", {"1 bytes after the last storage"}, ErrorKind::weights, "model.pth"));
}

TEST(Checkpoint, P16_ZipOfTorchCutAtEvery64thIsRefused) {
  const std::string valid = read_file(kReference / "state_dict.pth", 1 << 20);
  for (size_t part = 0; part < 64; ++part) {
    testing::expect_refused(
        testing::bytes_row("P16", valid.substr(0, valid.size() * part / 64), {}, ErrorKind::weights, "model.pth"));
  }
}

}  // namespace
}  // namespace keyflow::weights
