#include <c10/core/InferenceMode.h>

#include "models/clip/preprocess.h"
#include "models/clip/vision_load.h"
#include "tests/tensor_match.h"
#include "weights/plan.h"

namespace keyflow {
namespace {

namespace fs = std::filesystem;
using tests::near;

const fs::path kReference = fs::path(KEYFLOW_BINARY_DIR) / "reference/clip_vision";

class ClipVisionParity : public ::testing::TestWithParam<std::string> {
 protected:
  ClipVisionParity() : case_(weights::open_tensors(kReference / (GetParam() + "_case.safetensors"))) {}

  fs::path config() const { return kReference / GetParam() / "config.json"; }
  at::Tensor hidden(const fs::path& path) const {
    const auto file = weights::open_tensors(path);
    return clip::load_vision(file, clip::vision_config(*file, config()), {})(case_->read("pixels"));
  }

  std::shared_ptr<weights::TensorFile> case_;
};

TEST_P(ClipVisionParity, FolderThatTransformersSaved) {
  const c10::InferenceMode guard;
  const auto result = near(hidden(kReference / GetParam()), case_->read("hidden"), 1e-5);
  EXPECT_TRUE(result);
  RecordProperty("difference", result.message());
}

TEST_P(ClipVisionParity, OtherSpellingsGiveTheSame) {
  const c10::InferenceMode guard;
  const at::Tensor expected = hidden(kReference / GetParam());
  EXPECT_TRUE(hidden(kReference / (GetParam() + "_prefixed.safetensors")).equal(expected));
  EXPECT_TRUE(hidden(kReference / (GetParam() + "_official.safetensors")).equal(expected));
}

TEST_P(ClipVisionParity, PreprocessingIsWans) {
  EXPECT_TRUE(near(clip::preprocess(case_->read("picture"), 35), case_->read("prepared"), 1e-6));
}

INSTANTIATE_TEST_SUITE_P(Kinds, ClipVisionParity, ::testing::Values("gelu", "quick_gelu"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace keyflow
