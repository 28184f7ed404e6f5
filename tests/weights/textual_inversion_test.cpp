#include "weights/textual_inversion.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "weights/tensor_file.h"

namespace keyflow::weights {
namespace {

namespace fs = std::filesystem;

const fs::path kFolder = KEYFLOW_BINARY_DIR "/reference/prompt_encoders/embeddings";
const fs::path kData = KEYFLOW_SHARED_DATA;

at::Tensor reference(const char* name) { return open_tensors(kFolder / "../tensors.safetensors")->read(name); }

void expect_refused(const std::string& file, const std::string& names) {
  try {
    read_textual_inversion(kFolder / file);
    ADD_FAILURE() << "no error for " << file;
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::weights);
    EXPECT_NE(std::string(error.what()).find(names), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find(file), std::string::npos) << error.what();
  }
}

TEST(TextualInversion, EveryLayoutIsRead) {
  for (const char* file : {"charm.pt", "old.pt", "kohya.safetensors", "alone.pt", "advanced.safetensors"}) {
    const auto read = read_textual_inversion(kFolder / file);
    EXPECT_EQ(read.count(), 3) << file;
    EXPECT_EQ(read.token, "") << file;
    EXPECT_TRUE(read.vectors_for("clip_l", 48).equal(reference("three"))) << file;
  }
  for (const char* file : {"learned_embeds.bin", "learned_embeds.safetensors"}) {
    const auto read = read_textual_inversion(kFolder / file);
    EXPECT_EQ(read.count(), 1) << file;
    EXPECT_EQ(read.token, "<birb-style>") << file;
    EXPECT_TRUE(read.vectors_for("", 48)[0].equal(reference("one"))) << file;
    EXPECT_EQ(read.words(), (std::vector<std::string>{"learned_embeds", "embedding:learned_embeds",
                                                      std::string("embedding:") + file, "<birb-style>"}));
  }
}

TEST(TextualInversion, PairsServeBothEncoders) {
  const auto read = read_textual_inversion(kFolder / "pair.safetensors");
  ASSERT_EQ(read.parts.size(), 2u);
  EXPECT_EQ(read.vectors_for("clip_l", 48).scalar_type(), at::kFloat);
  EXPECT_EQ(read.vectors_for("clip_g", 54).sizes(), (std::vector<int64_t>{3, 54}));
  EXPECT_THROW(read.vectors_for("clip_g", 48), Error);
  EXPECT_THROW(read.vectors_for("t5", 48), Error);
}

TEST(TextualInversion, AnotherModelsWidthIsNamed) {
  const auto read = read_textual_inversion(kFolder / "kohya.safetensors");
  try {
    read.vectors_for("", 768);
    ADD_FAILURE();
  } catch (const Error& error) {
    const std::string message = error.what();
    for (const char* part : {"kohya.safetensors", "768", "found 48"}) {
      EXPECT_NE(message.find(part), std::string::npos) << message;
    }
    EXPECT_EQ(message.find('\n'), std::string::npos);
  }
}

TEST(TextualInversion, OtherContentsAreRefused) {
  expect_refused("other.safetensors", "lora.down");
  expect_refused("uneven.safetensors", "as many vectors");
  expect_refused("whole_numbers.safetensors", "float");
  expect_refused("two.pt", "one word");
}

TEST(TextualInversion, RealFile) {
  const fs::path path = kData / "textual_inversion/fastai_learned_embeds.bin";
  if (!fs::exists(path)) GTEST_SKIP() << "needs the shared data folder";
  const auto read = read_textual_inversion(path);
  EXPECT_EQ(read.token, "<birb-style>");
  EXPECT_EQ(read.count(), 1);
  EXPECT_EQ(read.vectors_for("clip_l", 768).sizes(), (std::vector<int64_t>{1, 768}));
  EXPECT_THROW(read.vectors_for("", 1024), Error);
}

}  // namespace
}  // namespace keyflow::weights
