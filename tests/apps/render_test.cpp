// The whole way from the command line to a file, on the tiny random models of tests/pipeline/pipeline_reference.py.
#include <gtest/gtest.h>
#include <signal.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "apps/program.h"

namespace keyflow::tests {
namespace {

using nlohmann::json;
using Words = std::vector<std::string>;

std::string reference(const std::string& name) { return KEYFLOW_BINARY_DIR "/reference/pipeline/" + name; }

Words operator+(Words words, const Words& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

/// A render of a second or less.
Words video(const std::string& model, const std::string& output, const Words& more = {}) {
  return Words{"video", "-m",      reference(model), "-p", "the cat jumps", "--steps",
               "2",     "--dtype", "fp32",           "-o", output} +
         more;
}
const Words kSmall{"--size", "48x32", "--frames", "9"};
Words pictures() { return {"--first", reference("first.png"), "--last", reference("last.png")}; }

std::string good(const Words& words, const Launch& launch = {}) {
  const Outcome outcome = keyflow(words, launch);
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.err.find("error:"), std::string::npos) << outcome.err;
  return outcome.err;
}

Words files_in(const TestFolder& folder) {
  Words names;
  for (const auto& [name, content] : folder.content()) names.push_back(name);
  return names;
}

TEST(Render, WritesEveryKindOfOutputAndNothingElse) {
  for (const char* name : {"o.mp4", "o.mkv", "o.mov", "o.webm", "o.gif", "o.webp", "o.apng", "o.safetensors"}) {
    SCOPED_TRACE(name);
    const TestFolder folder;
    good(video("t2v", (folder / name).string(), kSmall));
    EXPECT_EQ(files_in(folder), Words{name});
  }
  const TestFolder folder;
  good(video("t2v", (folder / "f%03d.png").string(), kSmall));
  EXPECT_EQ(folder.content().size(), 9u);
  EXPECT_TRUE(std::filesystem::exists(folder / "f008.png"));
}

TEST(Render, IsTheSameTwiceAndAgainFromItsMetadata) {
  const TestFolder folder;
  const std::string a = (folder / "a.mp4").string(), b = (folder / "b.mp4").string(), c = (folder / "c.mp4").string();
  good(video("flf2v", a, kSmall + pictures() + Words{"--seed", "random"}));
  // Metadata holds names, not this machine's paths: the model and the pictures are named again, and checked by hash.
  const Words again = Words{"video", "--from-metadata", a, "-m", reference("flf2v")} + pictures();
  good(again + Words{"-o", b});
  good(again + Words{"--seed", "5", "-o", c});
  EXPECT_EQ(file_content(a), file_content(b));
  EXPECT_NE(file_content(a), file_content(c));
}

TEST(Render, GoesToStandardOutput) {
  const TestFolder folder;
  const Launch here{.environment = {"TMPDIR=" + folder.path().string()}};
  const Outcome outcome =
      keyflow({"image", "-m", reference("t2v"), "-p", "x", "--size", "48x32", "--steps", "1", "-o", "-"}, here);
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(outcome.out.starts_with("\x89PNG"));
  EXPECT_TRUE(folder.content().empty());
}

TEST(Render, WhoseReaderGoesAwayFails) {
  const TestFolder folder;
  const Launch launch{.environment = {"TMPDIR=" + folder.path().string()}, .reader_leaves = true};
  const Outcome outcome =
      keyflow({"image", "-m", reference("t2v"), "-p", "x", "--size", "48x32", "--steps", "1", "-o", "-"}, launch);
  EXPECT_EQ(outcome.signal, 0);
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(error_line(outcome).find("standard output"), std::string::npos);
  EXPECT_TRUE(folder.content().empty());
}

TEST(Render, ReadsItsPromptFromAFileAndFromStandardInput) {
  const TestFolder folder;
  const std::string a = (folder / "a.gif").string(), b = (folder / "b.gif").string(), c = (folder / "c.gif").string();
  const std::string prompt = folder.write("prompt.txt", "the cat jumps\n");
  const auto words = [&](const std::string& output, const Words& more) {
    return Words{"video", "-m", reference("t2v"), "--steps", "1", "--dtype", "fp32", "-o", output} + kSmall + more;
  };
  good(words(a, {"-p", "the cat jumps\n"}));
  good(words(b, {"--prompt-file", prompt}));
  good(words(c, {"-p", "-"}), {.input = "the cat jumps\n"});
  EXPECT_EQ(file_content(a), file_content(b));
  EXPECT_EQ(file_content(a), file_content(c));
}

TEST(Render, ReportsProgressForPrograms) {
  const TestFolder folder;
  const std::string err =
      good(video("flf2v", (folder / "o.mp4").string(), kSmall + pictures() + Words{"--progress", "json"}));
  std::istringstream lines(err);
  std::set<std::string> phases;
  json last;
  double fraction = 0;
  for (std::string line; std::getline(lines, line);) {
    last = json::parse(line);
    if (last["event"] != "progress") continue;
    phases.insert(last["phase"]);
    EXPECT_GE(last["fraction"], fraction);
    fraction = last["fraction"];
  }
  EXPECT_EQ(phases, (std::set<std::string>{"load", "text", "image", "denoise", "decode", "write"}));
  EXPECT_NEAR(fraction, 1, 1e-9);
  EXPECT_EQ(last["event"], "done");
  EXPECT_EQ(last["outputs"], json::array({(folder / "o.mp4").string()}));
  uint64_t largest = 0;
  for (const auto& phase : last["phases"]) largest = std::max<uint64_t>(largest, phase["peak_bytes"]);
  EXPECT_EQ(last["peak_bytes"], largest);
}

TEST(Render, SpeaksInPlainLinesWhenNotOnATerminal) {
  const TestFolder folder;
  const std::string err = good(video("t2v", (folder / "o.gif").string(), kSmall));
  EXPECT_EQ(err.find('\r'), std::string::npos);
  EXPECT_NE(err.find("\npeak memory "), std::string::npos);
  EXPECT_NE(err.find("48x32, 9 frames at 16 fps, seed 42"), std::string::npos) << err;
}

TEST(Render, WritesPreviewsAndKeepsLatents) {
  const TestFolder folder;
  good(video("t2v", (folder / "o.mp4").string(), kSmall + Words{"--preview", "1", "--keep-latents"}));
  EXPECT_EQ(files_in(folder), (Words{"o.mp4", "o.mp4.latents.safetensors", "o.mp4.preview.png"}));
  good({"decode", (folder / "o.mp4.latents.safetensors").string(), "-m", reference("t2v"), "-o",
        (folder / "again.mp4").string()});
  EXPECT_EQ(file_content(folder / "o.mp4"), file_content(folder / "again.mp4"));
}

TEST(Encode, AndDecodeGiveThePicturesBack) {
  const TestFolder folder;
  good({"encode", reference("first.png"), "-m", reference("t2v"), "-o", (folder / "l.safetensors").string()});
  good({"decode", (folder / "l.safetensors").string(), "-m", reference("t2v"), "-o", (folder / "p.png").string()});
  EXPECT_EQ(files_in(folder), (Words{"l.safetensors", "p.png"}));
  const Outcome outcome = keyflow({"inspect", (folder / "l.safetensors").string(), "--json"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(json::parse(outcome.out)["family"], "latents");
}

TEST(Interpolate, RunsThroughAllPictures) {
  const TestFolder folder;
  const Words start{"interpolate", reference("first.png"), reference("last.png")};
  const Words end{"-m",    reference("flf2v"), "-p", "x",  "--size",
                  "48x32", "--steps",          "1",  "-o", (folder / "o.gif").string()};
  good(start + Words{"--frames", "9"} + end);
  // Without --frames, each pair gets a clip of the model's own length: 81 frames, and 161 for three pictures.
  const Outcome config = keyflow(start + Words{reference("first.png"), "--print-config"} + end);
  ASSERT_EQ(config.code, 0) << config.err;
  EXPECT_NE(config.out.find("frames           161 "), std::string::npos) << config.out;
  EXPECT_NE(config.out.find(" 80=" + reference("last.png") + " 160="), std::string::npos) << config.out;
}

TEST(PrintConfig, ShowsWhereEachValueCameFrom) {
  const TestFolder folder;
  const std::string file = folder.write("s.json", "{\"steps\": 7, \"shift\": 2.5, \"seed\": 9}");
  const Outcome outcome =
      keyflow({"video", "-m", reference("t2v"), "-p", "x", "--config", file, "--seed", "11", "--print-config"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  std::istringstream lines(outcome.out);
  std::map<std::string, std::pair<std::string, std::string>> found;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string name, value, rest;
    words >> name >> value;
    std::getline(words >> std::ws, rest);
    found[name] = {value, rest};
  }
  EXPECT_EQ(found["seed"], (std::pair<std::string, std::string>("11", "command line")));
  EXPECT_EQ(found["steps"], (std::pair<std::string, std::string>("7", "settings file")));
  EXPECT_EQ(found["shift"], (std::pair<std::string, std::string>("2.5", "settings file")));
  EXPECT_EQ(found["frames"], (std::pair<std::string, std::string>("81", "model preset")));
  EXPECT_EQ(found["conventions"], (std::pair<std::string, std::string>("official", "default")));
}

struct Refusal {
  std::string name, model;
  Words arguments, words;
};
void PrintTo(const Refusal& row, std::ostream* out) { *out << row.name; }

class Wrong : public ::testing::TestWithParam<Refusal> {};

TEST_P(Wrong, IsExplainedBeforeAnyWork) {
  const TestFolder folder;
  const std::string output = folder.write("o.mp4", "an older video");
  expect_refused(keyflow(video(GetParam().model, output, GetParam().arguments)), 2, GetParam().words);
  EXPECT_EQ(folder.content(), (std::map<std::string, std::string>{{"o.mp4", "an older video"}}));
}

const std::string kFirst = reference("first.png"), kLast = reference("last.png");
INSTANTIATE_TEST_SUITE_P(
    Combinations, Wrong,
    ::testing::Values(
        Refusal{"A04_Width", "t2v", {"--size", "513x32"}, {"width", "513", "512", "528"}},
        Refusal{"A05_Frames", "t2v", {"--frames", "80"}, {"frames", "80", "77", "81"}},
        Refusal{"A06_Pixels", "t2v", {"--width", "65520", "--height", "65520"}, {"65520"}},
        Refusal{"A06_Frames", "t2v", {"--size", "48x32", "--frames", "999999997"}, {}},
        Refusal{"A07_Beyond", "flf2v", kSmall + Words{"--first", kFirst, "--keyframe", "200=" + kLast}, {"200"}},
        Refusal{"A07_Twice",
                "flf2v",
                kSmall + Words{"--first", kFirst, "--keyframe", "0=" + kLast},
                {"first.png", "last.png"}},
        Refusal{"A07_OneLatentFrame",
                "flf2v",
                kSmall + Words{"--first", kFirst, "--keyframe", "5=" + kFirst, "--keyframe", "7=" + kLast},
                {"5 and 7", "latent frame"}},
        Refusal{"A08_NoFirst", "i2v", kSmall, {"--first"}},
        Refusal{"A08_NoLast", "flf2v", kSmall + Words{"--first", kFirst}, {"--last"}},
        Refusal{"A08_PicturesForT2v", "t2v", kSmall + Words{"--first", kFirst}, {"text-to-video"}},
        Refusal{"HalfASize", "t2v", {"--width", "48"}, {"width", "height"}},
        Refusal{"CrfOfTheEncoder", "t2v", kSmall + Words{"--crf", "60"}, {"crf", "60", "51"}}),
    [](const auto& info) { return info.param.name; });

TEST(Wrong, EmptyPromptWhereOneIsNeeded) {
  const TestFolder folder;
  expect_refused(keyflow({"video", "-m", reference("t2v"), "-o", (folder / "o.mp4").string()}), 2, {"prompt"});
}

TEST(Wrong, PartOfAnotherFamily) {
  const TestFolder folder;
  const Outcome outcome = keyflow(video("t2v", (folder / "o.mp4").string(), {"--vae", reference("t2v/text_encoder")}));
  EXPECT_EQ(outcome.signal, 0);
  EXPECT_NE(error_line(outcome).find("VAE"), std::string::npos);
  EXPECT_TRUE(folder.content().empty());
}

TEST(A11_Names, OfAnyKindWork) {
  for (const std::string name :
       {"with space", "-dash", "new\nline", "\xC3\xBCml\xC3\xA4ut \xE6\x98\xAF", "bad\xFFutf8", "a=b", "100%"}) {
    SCOPED_TRACE(name);
    const TestFolder folder;
    std::filesystem::copy(reference("first.png"), folder / (name + ".png"));
    const std::string output = (folder / (name + ".gif")).string();
    const Outcome outcome =
        keyflow(video("i2v", output, kSmall + Words{"--first=" + (folder / (name + ".png")).string()}));
    EXPECT_EQ(outcome.signal, 0);
    if (outcome.code != 0) error_line(outcome);
    EXPECT_EQ(std::filesystem::exists(output), outcome.code == 0);
  }
}

TEST(Interrupt, SavesTheStateAndResumesToTheSameBytes) {
  const TestFolder folder;
  const std::string whole = (folder / "whole.mp4").string(), parts = (folder / "parts.mp4").string();
  const Words more = kSmall + Words{"--steps", "60", "--progress", "json"};
  const auto words = [&](const std::string& output, const Words& extra) {
    return Words{"video", "-m", reference("t2v"), "-p", "x", "--dtype", "fp32", "-o", output} + more + extra;
  };
  good(words(whole, {}));
  for (const auto& [signal, code] : {std::pair{SIGINT, 130}, std::pair{SIGTERM, 143}}) {
    const Outcome stopped =
        keyflow(words(parts, {}), {.kill_with = signal, .kill_when = "\"phase\":\"denoise\",\"done\":3,"});
    EXPECT_EQ(stopped.signal, 0);
    EXPECT_EQ(stopped.code, code);
    EXPECT_NE(error_line(stopped).find("--resume"), std::string::npos);
    EXPECT_FALSE(std::filesystem::exists(parts));
    good(words(parts, {"--resume"}));
    EXPECT_EQ(file_content(whole), file_content(parts));
    std::filesystem::remove(parts);
  }
}

}  // namespace
}  // namespace keyflow::tests
