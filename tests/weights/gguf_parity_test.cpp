// A file that the gguf package wrote, against what it unpacks.
#include "tests/tensor_match.h"
#include "weights/tensor_file.h"

namespace keyflow::weights {
namespace {

TEST(GgufParity, ReadsWhatThePackageWrote) {
  const std::filesystem::path folder = KEYFLOW_BINARY_DIR "/reference/gguf";
  const auto file = open_tensors(folder / "model.gguf"), expected = open_tensors(folder / "expected.safetensors");
  ASSERT_EQ(file->tensors().size(), expected->tensors().size());
  for (const auto& info : expected->tensors()) {
    SCOPED_TRACE(info.name);
    ASSERT_NE(file->find(info.name), nullptr);
    EXPECT_EQ(file->find(info.name)->shape, info.shape);
    EXPECT_TRUE(file->read(info.name).to(info.dtype).equal(expected->read(info.name)));
  }
  EXPECT_EQ(file->metadata().at("general.architecture"), "wan");
  EXPECT_EQ(file->find("q4_1.weight")->type_name(), "q4_1");
  EXPECT_EQ(file->find("bf16.weight")->dtype, at::kBFloat16);
}

}  // namespace
}  // namespace keyflow::weights
