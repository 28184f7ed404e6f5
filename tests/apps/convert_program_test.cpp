// keyflow convert, and what it writes, through the program.
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "apps/program.h"
#include "media/picture.h"

namespace keyflow::tests {
namespace {

namespace fs = std::filesystem;
using Words = std::vector<std::string>;

std::string good(const Words& words) {
  const Outcome outcome = keyflow(words);
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  return outcome.out;
}

std::string small_file(const TestFolder& folder) {
  return folder.write("in.safetensors",
                      safetensors_bytes(R"({"a.weight":{"dtype":"F32","shape":[64,64],"data_offsets":[0,16384]},)"
                                        R"("a.bias":{"dtype":"F32","shape":[64],"data_offsets":[16384,16640]}})",
                                        16640));
}

TEST(ConvertProgram, SaysWhatItDid) {
  const TestFolder folder;
  const std::string in = small_file(folder), out = (folder / "out.gguf").string();
  const std::string text = good({"convert", in, out, "--type", "q8_0"});
  for (const char* part : {"out.gguf", "q8_0 x 1", "fp32 x 1", "(small)"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " in " << text;
  }
  EXPECT_EQ(folder.content().size(), 2u);
  EXPECT_NE(good({"convert", in, out, "--type", "q4_0", "--rule", "a\\.weight=q5_1"}).find("q5_1 x 1"),
            std::string::npos);
  EXPECT_NE(good({"convert", out, (folder / "back.safetensors").string(), "--type", "bf16"}).find("bf16 x 2"),
            std::string::npos);
}

TEST(ConvertProgram, RefusesInOneLine) {
  const TestFolder folder;
  const std::string in = small_file(folder), gguf = (folder / "out.gguf").string();
  const auto before = folder.content();
  expect_refused(keyflow({"convert", in, gguf}), 2, {"--type"});
  expect_refused(keyflow({"convert", in, gguf, "--type", "q9_0"}), 2, {"q9_0", "q8_0"});
  expect_refused(keyflow({"convert", in, (folder / "out.bin").string(), "--type", "fp16"}), 2, {"out.bin", ".gguf"});
  expect_refused(keyflow({"convert", in, (folder / "x.safetensors").string(), "--type", "q8_0"}), 2, {"x.gguf"});
  expect_refused(keyflow({"convert", in, gguf, "--type", "q8_0", "--rule", "(=q8_0"}), 2, {"\"(\""});
  expect_refused(keyflow({"convert", in, (folder / "no" / "out.gguf").string(), "--type", "q8_0"}), 1, {"no"});
  expect_refused(keyflow({"convert", (folder / "no.gguf").string(), gguf, "--type", "q8_0"}), 1, {"no.gguf"});
  EXPECT_EQ(folder.content(), before);
}

/// Peak signal-to-noise ratio over all frames NAME0.png, NAME1.png ... in dB.
double psnr(const TestFolder& folder, const std::string& a, const std::string& b) {
  double sum = 0, count = 0;
  for (int i = 0; fs::exists(folder / (a + std::to_string(i) + ".png")); ++i) {
    const auto frame = [&](const std::string& name) {
      return media::read_picture(folder / (name + std::to_string(i) + ".png")).rgb.to(at::kDouble);
    };
    sum += (frame(a) - frame(b)).square().mean().item<double>();
    ++count;
  }
  EXPECT_GT(count, 0);
  return 10 * std::log10(255.0 * 255.0 / (sum / count));
}

TEST(ConvertProgram, ARenderOfThePackedModelStaysNear) {
  const fs::path transformer = fs::path(KEYFLOW_SOURCE_DIR) / "weights/mini/transformer";
  if (!fs::exists(transformer / "diffusion_pytorch_model.safetensors")) GTEST_SKIP() << "needs weights/mini";
  const TestFolder folder;
  fs::copy(transformer / "config.json", folder / "config.json");
  for (const auto& [name, type] :
       {std::pair<std::string, std::string>{"half.safetensors", "fp16"}, {"q8.gguf", "q8_0"}, {"q4.gguf", "q4_0"}}) {
    good({"convert", transformer.string(), (folder / name).string(), "--type", type});
    good({"video", "-m", "mini", "--transformer", (folder / name).string(), "-p", "a red ball", "--steps", "4",
          "--dtype", "fp32", "-o", (folder / (name.substr(0, 2) + "%d.png")).string()});
  }
  const auto report = nlohmann::json::parse(good({"inspect", (folder / "q8.gguf").string(), "--json"}));
  EXPECT_EQ(report["family"], "wan");
  EXPECT_EQ(report["parts"][0]["format"], "GGUF");
  EXPECT_GT(report["parts"][0]["dtypes"]["q8_0"], 50);
  EXPECT_EQ(report["parts"][0]["metadata"]["general.architecture"], "wan");
  EXPECT_LT(report["bytes"], fs::file_size(folder / "half.safetensors") * 6 / 10);
  const double eight = psnr(folder, "q8", "ha"), four = psnr(folder, "q4", "ha");
  EXPECT_GE(eight, 40) << "dB";
  EXPECT_GE(four, 20) << "dB";
  EXPECT_LT(four, eight);
  RecordProperty("psnr_q8_0", std::to_string(eight));
  RecordProperty("psnr_q4_0", std::to_string(four));
}

}  // namespace
}  // namespace keyflow::tests
