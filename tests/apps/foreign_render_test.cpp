// Lines of other programs from the words to a file, on the tiny random models of tests/pipeline/pipeline_reference.py.
#include <gtest/gtest.h>

#include <algorithm>

#include "apps/program.h"

namespace keyflow::tests {
namespace {

using Words = std::vector<std::string>;

std::string reference(const std::string& name) { return KEYFLOW_BINARY_DIR "/reference/pipeline/" + name; }

Words files_in(const TestFolder& folder) {
  Words names;
  for (const auto& [name, content] : folder.content()) names.push_back(name);
  return names;
}

Words sd_cli(const std::string& output) {
  return {"sd-cli",
          "-M",
          "vid_gen",
          "-m",
          reference("flf2v"),
          "-p",
          "the cat jumps",
          "--cfg-scale",
          "6.0",
          "--sampling-method",
          "euler",
          "-n",
          "blurred",
          "-W",
          "48",
          "-H",
          "30",
          "--diffusion-fa",
          "--video-frames",
          "11",
          "--offload-to-cpu",
          "--init-img",
          reference("first.png"),
          "--end-img",
          reference("last.png"),
          "--flow-shift",
          "3.0",
          "--steps",
          "2",
          "--type",
          "f32",
          "-v",
          "-o",
          output};
}

TEST(SdCliProgram, RendersTheLineMostUsersBring) {
  const TestFolder folder;
  const std::string a = (folder / "new/a.mp4").string(), b = (folder / "b.mp4").string();
  const Outcome outcome = keyflow(sd_cli(a));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  for (const char* text : {"note: --video-frames 11: rounded down to 9", "rounded up to 48x32",
                           "note: --diffusion-fa has no effect", "48x32, 9 frames at 16 fps, seed 42"}) {
    EXPECT_NE(outcome.err.find(text), std::string::npos) << text << " in " << outcome.err;
  }
  // The same by keyflow's own names.
  const Outcome own =
      keyflow({"video", "-m", reference("flf2v"), "-p", "the cat jumps", "--first", reference("first.png"), "--last",
               reference("last.png"), "--size", "48x32", "--frames", "9", "--steps", "2", "--dtype", "fp32", "-o", b});
  ASSERT_EQ(own.code, 0) << own.err;
  EXPECT_NE(file_content(a), file_content(b));
  const Outcome shown = keyflow({"sd-cli", "-M", "metadata", "--image", a});
  EXPECT_EQ(shown.code, 0) << shown.err;
  for (const char* text : {"rng: cuda", "schedule: discrete", "sampler: euler", "guidance_scale: 6"}) {
    EXPECT_NE(shown.out.find(text), std::string::npos) << text << " in " << shown.out;
  }
}

TEST(SdCliProgram, TheNoiseIsTheChosenGenerators) {
  const TestFolder folder;
  const std::string a = (folder / "a.mp4").string(), b = (folder / "b.mp4").string(), c = (folder / "c.mp4").string();
  Words cpu = sd_cli(b), cuda = sd_cli(c);
  cpu.insert(cpu.end(), {"--rng", "cpu"});
  cuda.insert(cuda.end(), {"--rng", "cuda"});
  for (const auto& words : {sd_cli(a), cpu, cuda}) ASSERT_EQ(keyflow(words).code, 0);
  EXPECT_NE(file_content(a), file_content(b));
  EXPECT_EQ(file_content(a), file_content(c));
}

TEST(SdCliProgram, TextAloneWritesTheDefaultNames) {
  const TestFolder folder;
  const std::string shell = "cd " + folder.path().string() + ";";
  const Words words{"sd-cli", "-M", "vid_gen", "-m", reference("t2v"), "-p", "x", "-W", "48",
                    "-H",     "32", "--steps", "2",  "--type",         "f32"};
  Words video = words;
  video.insert(video.end(), {"--video-frames", "5"});
  ASSERT_EQ(keyflow(words, {.shell = shell}).code, 0);
  ASSERT_EQ(keyflow(video, {.shell = shell}).code, 0);
  EXPECT_EQ(files_in(folder), (Words{"output.mp4", "output.png"}));
}

TEST(WanGenerateProgram, RendersItsLine) {
  const TestFolder folder;
  const std::string shell = "cd " + folder.path().string() + ";";
  const Outcome outcome = keyflow({"wan-generate",
                                   "--task",
                                   "flf2v-14B",
                                   "--size",
                                   "48*32",
                                   "--ckpt_dir",
                                   reference("flf2v"),
                                   "--first_frame",
                                   reference("first.png"),
                                   "--last_frame",
                                   reference("last.png"),
                                   "--prompt",
                                   "the cat jumps",
                                   "--frame_num",
                                   "9",
                                   "--sample_steps",
                                   "2",
                                   "--offload_model",
                                   "True",
                                   "--base_seed",
                                   "7"},
                                  {.shell = shell});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const Words names = files_in(folder);
  ASSERT_EQ(names.size(), 1u);
  EXPECT_TRUE(names[0].starts_with("flf2v-14B_48*32_1_1_the_cat_jumps_")) << names[0];
  EXPECT_TRUE(names[0].ends_with(".mp4")) << names[0];
}

TEST(WanGenerateProgram, ASavedFileIsThatOfKeyflowVideo) {
  const TestFolder folder;
  const std::string a = (folder / "a.mp4").string(), b = (folder / "b.mp4").string();
  const Outcome theirs = keyflow({"wan-generate", "--size", "48*32", "--ckpt_dir", reference("t2v"), "--prompt", "x",
                                  "--frame_num", "5", "--sample_steps", "2", "--base_seed", "7", "--save_file", a});
  ASSERT_EQ(theirs.code, 0) << theirs.err;
  const Outcome own = keyflow({"video", "-m", reference("t2v"), "-p", "x", "--size", "48x32", "--frames", "5",
                               "--steps", "2", "--seed", "7", "-o", b});
  ASSERT_EQ(own.code, 0) << own.err;
  EXPECT_EQ(file_content(a), file_content(b));
}

TEST(WanGenerateProgram, DisagreementIsOneLine) {
  expect_refused(keyflow({"wan-generate", "--task", "t2v-14B", "--ckpt_dir", reference("flf2v"), "--prompt", "x"}), 2,
                 {"--task t2v-14B", "flf2v-14B"});
}

}  // namespace
}  // namespace keyflow::tests
