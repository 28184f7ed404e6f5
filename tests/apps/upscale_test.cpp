// keyflow upscale, on the small networks of tests/models/esrgan_reference.py.
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>

#include "apps/program.h"

namespace keyflow::tests {
namespace {

using Words = std::vector<std::string>;

std::string reference(const std::string& name) { return KEYFLOW_BINARY_DIR "/reference/esrgan/" + name; }

Words upscale(const std::string& in, const std::string& out, const Words& more = {}) {
  Words words{"upscale", in, out, "-m", reference("compact.param"), "--dtype", "fp32"};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

std::string good(const Words& words, const Launch& launch = {}) {
  const Outcome outcome = keyflow(words, launch);
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.err.find("error:"), std::string::npos) << outcome.err;
  return outcome.err;
}

TEST(UpscaleProgram, PicturesOfEveryKindAndNothingElse) {
  const TestFolder in;
  const std::string picture = in.write("in.bmp", bmp_bytes(20, 14, 200, 90, 30));
  for (const char* name : {"out.png", "out.jpg", "out.webp", "out.mp4", "out%02d.png"}) {
    const TestFolder out;
    const std::string err = good(upscale(picture, (out / name).string()));
    EXPECT_NE(err.find("20x14 to 60x42, SRVGG x3"), std::string::npos) << err;
    EXPECT_EQ(out.content().size(), 1u) << name;
  }
}

TEST(UpscaleProgram, VideosKeepTheirFramesAndRate) {
  const TestFolder folder;
  const std::string err = good(upscale(reference("clip.gif"), (folder / "out.mp4").string(), {"--progress", "plain"}));
  EXPECT_NE(err.find("24x18 to 72x54, 4 frames at 10 fps"), std::string::npos) << err;
  EXPECT_NE(err.find("upscale"), std::string::npos);
  good(upscale(reference("clip.gif"), (folder / "f%d.png").string()));
  EXPECT_EQ(folder.content().size(), 5u);
}

TEST(UpscaleProgram, TheSameTwice) {
  const TestFolder folder;
  const std::string a = (folder / "a.mp4").string(), b = (folder / "b.mp4").string();
  good(upscale(reference("clip.gif"), a));
  good(upscale(reference("clip.gif"), b, {"-t", "1"}));
  EXPECT_EQ(file_content(a), file_content(b));
}

TEST(UpscaleProgram, GoesToStandardOutput) {
  const TestFolder folder;
  const Outcome outcome =
      keyflow(upscale(reference("clip.gif"), "-"), {.environment = {"TMPDIR=" + folder.path().string()}});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out.substr(4, 4), "ftyp");
  EXPECT_TRUE(folder.content().empty());
}

TEST(UpscaleProgram, OtherScalesAndPasses) {
  const TestFolder folder;
  const std::string picture = folder.write("in.bmp", bmp_bytes(20, 14, 200, 90, 30));
  const std::string out = (folder / "out.png").string();
  EXPECT_NE(good(upscale(picture, out, {"--scale", "2.5"})).find("to 50x35"), std::string::npos);
  EXPECT_NE(good(upscale(picture, out, {"--repeats", "2"})).find("to 180x126"), std::string::npos);
  EXPECT_NE(good(upscale(picture, out, {"--scale", "5"})).find("note: the network enlarges 3 times"),
            std::string::npos);
}

TEST(UpscaleProgram, SaysWhatBecomesOfTransparency) {
  const TestFolder folder;
  const std::string out = (folder / "out.png").string();
  EXPECT_NE(good(upscale(reference("transparent.png"), out)).find("becomes white"), std::string::npos);
  EXPECT_EQ(good(upscale(folder.write("in.bmp", bmp_bytes(4, 4, 1, 2, 3)), out)).find("note:"), std::string::npos);
}

TEST(UpscaleProgram, BadArgumentsAreRefusedInOneLine) {
  const TestFolder folder;
  const std::string in = folder.write("in.bmp", bmp_bytes(4, 4, 1, 2, 3)), out = (folder / "out.png").string();
  const auto refused = [&](const Words& words, const Words& said) {
    expect_refused(keyflow(words), 2, said);
    EXPECT_FALSE(std::filesystem::exists(out));
  };
  refused({"upscale", in, out}, {"--model", "upscaler"});
  refused({"upscale", in, "-m", reference("compact.param")}, {"expected"});
  refused(upscale(in, out, {"--scale", "0"}), {"--scale", "\"0\""});
  refused(upscale(in, out, {"--scale", "nan"}), {"--scale", "\"nan\""});
  refused(upscale(in, out, {"--repeats", "9"}), {"--repeats", "\"9\"", "1 to 4"});
  refused(upscale(in, out, {"--tile", "5"}), {"--tile", "\"5\""});
  refused(upscale(in, out, {"--crf", "3"}), {"--crf", "mp4"});
  refused(upscale(in, (folder / "out.docx").string()), {"out.docx", ".docx"});
  refused(upscale(in, (folder / "out.safetensors").string()), {"out.safetensors", ".safetensors"});
  refused(upscale(reference("clip.gif"), out), {"expected one frame", "found 4"});
  refused({"upscale", in, out, "-m", reference("compact.param"), "--dtype", "fp64"}, {"fp64"});
}

TEST(UpscaleProgram, BadFilesAreRefusedInOneLine) {
  const TestFolder folder;
  const std::string in = folder.write("in.bmp", bmp_bytes(4, 4, 1, 2, 3)), out = (folder / "out.png").string();
  const auto refused = [&](const Words& words, const Words& said) {
    expect_refused(keyflow(words), 1, said);
    EXPECT_FALSE(std::filesystem::exists(out));
  };
  refused(upscale((folder / "none.png").string(), out), {"none.png", "No such file"});
  refused(upscale(folder.write("text.png", "hello"), out), {"text.png", "text"});
  refused(upscale(in, (folder / "no/out.png").string()), {"no/out.png"});
  const auto with_model = [&](const std::string& model) { return Words{"upscale", in, out, "-m", model}; };
  refused(with_model((folder / "none.pth").string()), {"none.pth"});
  refused(with_model(reference("compact_case.safetensors")), {"compact_case", "tensors of an upscaler"});
  refused(with_model(folder.write("cut.pth", file_content(reference("compact.pth")).substr(0, 5000))), {"cut.pth"});
  EXPECT_EQ(folder.content().size(), 3u);
}

TEST(UpscaleProgram, AFullDiskLeavesNothing) {
  const TestFolder folder, out;
  const std::string in = folder.write("in.bmp", bmp_bytes(200, 150, 1, 2, 3));
  for (const char* name : {"out.png", "out.mp4"}) {
    // The limit of a file's size, in blocks of 512 bytes, is the nearest thing to a full disk.
    const Outcome outcome = keyflow(upscale(in, (out / name).string()), {.shell = "ulimit -f 1;"});
    EXPECT_EQ(outcome.signal, 0);
    EXPECT_EQ(outcome.code, 1) << outcome.err;
    EXPECT_NE(error_line(outcome).find(name), std::string::npos);
    EXPECT_TRUE(out.content().empty()) << name;
  }
}

TEST(UpscaleProgram, StopsWhenToldAndLeavesNothing) {
  const TestFolder folder, out;
  const std::string in = folder.write("in.bmp", bmp_bytes(1500, 1500, 9, 2, 3));
  for (const int signal : {SIGINT, SIGTERM}) {
    const Outcome outcome = keyflow(upscale(in, (out / "out.png").string(), {"--tile", "100", "--progress", "json"}),
                                    {.kill_with = signal, .kill_when = "\"phase\":\"upscale\",\"done\":2,"});
    EXPECT_EQ(outcome.code, 128 + signal) << outcome.err;
    EXPECT_NE(error_line(outcome).find("interrupted"), std::string::npos);
    EXPECT_TRUE(out.content().empty());
  }
}

TEST(UpscaleProgram, InspectNamesTheNetwork) {
  for (const auto& [file, words] : {std::pair{"compact.param", "SRVGG x3 of 9 features, 3 convolutions (upscaler)"},
                                    std::pair{"compact_half.bin", "SRVGG x3"}, std::pair{"rrdb_old.pth", "RRDB x4"},
                                    std::pair{"x2.pth", "RRDB x2 of 8 features, 1 blocks (upscaler)"}}) {
    const Outcome outcome = keyflow({"inspect", reference(file), "--brief"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_NE(outcome.out.find(words), std::string::npos) << outcome.out;
  }
}

TEST(UpscaleProgram, RealWeights) {
  const std::string shared = KEYFLOW_SHARED_DATA;
  if (!std::filesystem::exists(shared)) GTEST_SKIP() << "needs the shared data folder";
  const TestFolder folder;
  const std::string model = shared + "/upscaler/realesr-animevideov3-x4";
  const std::string picture = shared + "/datasets/fluent_emoji_3d_128/1f34e.jpg";
  EXPECT_NE(keyflow({"inspect", shared + "/upscaler", "--brief"}).out.find("realesr-animevideov3 (upscaler)"),
            std::string::npos);
  for (const char* half : {".param", ".bin"}) {
    const std::string err = good({"upscale", picture, (folder / "out.png").string(), "-m", model + half});
    EXPECT_NE(err.find("128x128 to 512x512, realesr-animevideov3"), std::string::npos) << err;
  }
}

}  // namespace
}  // namespace keyflow::tests
