#include "train/prepare.h"

#include <ATen/ops/full.h>
#include <ATen/ops/stack.h>
#include <gtest/gtest.h>

#include <fstream>

#include "core/error.h"
#include "media/picture.h"
#include "text/tokenizer.h"
#include "train/captions.h"
#include "weights/tensor_file.h"

namespace keyflow::train {
namespace {

namespace fs = std::filesystem;

/// A folder with four strips of five frames and two pictures.
struct Prepare : ::testing::Test {
  fs::path folder = fs::path(::testing::TempDir()) / ("prepare_" + std::to_string(::getpid()));
  Preparation options;

  Prepare() {
    fs::create_directories(folder);
    std::string table = "file\tname\tkeywords\tgroup\n";
    for (int i = 0; i < 4; ++i) {
      at::Tensor strip = at::full({3, 40, 8}, 10, at::kByte);
      for (int64_t t = 0; t < 5; ++t) strip.narrow(1, t * 8, 8).fill_(40 * t + i);
      const std::string name = "clip" + std::to_string(i) + ".png";
      media::write_png(folder / name, strip);
      table += name + "\tmoving cat " + std::to_string(i) + "\tcat,animal,walk\tAnimals\n";
    }
    for (int i = 0; i < 2; ++i) {
      const std::string name = "still" + std::to_string(i) + ".png";
      media::write_png(folder / name, at::full({3, 12, 10}, 90 + i, at::kByte));
      table += name + "\ta red apple\t\tFood\n";
    }
    write(table);
    options.folders = {folder};
    options.output = folder / "out";
    options.size = 8;
    options.frames = 5;
    options.validation = 2;
    options.vocabulary = 40;
    options.text_len = 12;
  }
  ~Prepare() override { fs::remove_all(folder); }

  void write(const std::string& table) { std::ofstream(folder / "captions.tsv") << table; }

  std::string message() {
    try {
      prepare(options);
    } catch (const Error& error) {
      return error.what();
    }
    return "nothing thrown";
  }
};

TEST_F(Prepare, PacksClipsPicturesTokensAndVocabulary) {
  const Prepared prepared = prepare(options);
  EXPECT_EQ(prepared.clips, 4);
  EXPECT_EQ(prepared.pictures, 2);
  EXPECT_EQ(prepared.validation, 2);
  const auto file = weights::open_tensors(options.output / "data.safetensors");
  const at::Tensor clips = file->read("clips");  // [N, T, 3, H, W]
  ASSERT_EQ(clips.sizes(), (at::IntArrayRef{4, 5, 3, 8, 8}));
  EXPECT_EQ(clips[2][3][0][0][0].item<int>(), 122);
  EXPECT_EQ(file->read("pictures").sizes(), (at::IntArrayRef{2, 3, 8, 8}));
  const auto tokenizer = text::open_tokenizer(options.output / "tokenizer");
  const auto ids = tokenizer->encode("moving cat 1", 12).ids;
  const at::Tensor packed = file->read("clip_tokens")[1][0];  // [L]
  for (size_t i = 0; i < ids.size(); ++i) EXPECT_EQ(packed[static_cast<int64_t>(i)].item<int64_t>(), ids[i]) << i;
  EXPECT_EQ(ids.back(), 1);
  EXPECT_EQ(file->metadata().at("names").substr(0, 12), "moving cat 0");
}

TEST_F(Prepare, IsTheSameFileEachTime) {
  const auto bytes = [&] {
    prepare(options);
    std::ifstream in(options.output / "data.safetensors", std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), {});
  };
  EXPECT_EQ(bytes(), bytes());
}

TEST_F(Prepare, NamesTheLineOfABadTable) {
  write("file\tname\nclip0.png\n");
  EXPECT_NE(message().find("captions.tsv: line 2: expected 2 fields, found 1"), std::string::npos) << message();
  write("file\tname\n../x.png\ta\n");
  EXPECT_NE(message().find("line 2: expected a file inside the folder"), std::string::npos) << message();
  write("picture\tname\nclip0.png\ta\n");
  EXPECT_NE(message().find("line 1: expected tab-separated columns"), std::string::npos) << message();
  write("file\tname\nnowhere.png\ta\n");
  EXPECT_NE(message().find("nowhere.png"), std::string::npos) << message();
}

TEST_F(Prepare, SaysWhenNothingIsAClip) {
  options.frames = 7;
  EXPECT_NE(message().find("expected at least one clip of 7 frames"), std::string::npos) << message();
}

TEST(Wordings, ArePlainestFirstAndAlwaysAsMany) {
  const Caption rich{"a.png", "winking cat", {"winking cat", "cat", "wink"}, "Animals"};
  EXPECT_EQ(rich.wordings(4), (std::vector<std::string>{"winking cat", "a 3D emoji of winking cat",
                                                        "winking cat, cat, wink", "cat, wink"}));
  EXPECT_EQ((Caption{"a.png", "apple", {}, ""}.wordings(3)),
            (std::vector<std::string>{"apple", "a 3D emoji of apple", "apple"}));
}

}  // namespace
}  // namespace keyflow::train
