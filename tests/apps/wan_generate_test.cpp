// generate.py's line as keyflow's settings, in the process and without files.
#include "apps/wan_generate.h"

#include <gtest/gtest.h>

#include <sstream>

#include "apps/program.h"
#include "core/error.h"

namespace keyflow::apps {
namespace {

using Words = std::vector<std::string>;
using Settings = std::map<std::string, std::string>;

WanGenerateModel model(const std::string& kind) { return {"Wan2.1-" + kind, 8, 2, {}}; }
WanGenerateModel pictured(const std::string& kind) { return {"Wan2.1-" + kind, 8, 2, pipeline::FrameSize{640, 480}}; }

Words split(const std::string& line) {
  Words words;
  std::istringstream stream(line);
  std::string word;
  while (stream >> std::quoted(word)) words.push_back(word);
  return words;
}

ForeignLine line_of(const std::string& line) {
  return read_foreign_line({"wan-generate", true, true}, wan_generate_options(), split(line));
}

WanGenerateJob job_of(const std::string& text, const WanGenerateModel& found) {
  const ForeignLine line = line_of(text);
  WanGenerateJob job = read_wan_generate_job(line);
  complete_wan_generate_job(job, line, found);
  return job;
}

struct Row {
  const char* name;
  const char* line;
  WanGenerateModel found;
  Settings settings;
};
void PrintTo(const Row& row, std::ostream* out) { *out << row.name; }

class Lines : public ::testing::TestWithParam<Row> {};

TEST_P(Lines, BecomeTheseSettings) {
  Settings settings;
  for (const auto& line : pipeline::describe(job_of(GetParam().line, GetParam().found).settings)) {
    settings[line.name] = line.value;
  }
  for (const auto& [name, value] : GetParam().settings) EXPECT_EQ(settings.at(name), value) << name;
}

// The lines of Wan2.1's README, and what they leave out.
INSTANTIATE_TEST_SUITE_P(
    Tasks, Lines,
    ::testing::Values(
        Row{"Text14B",
            "--task t2v-14B --size 1280*720 --ckpt_dir ./Wan2.1-T2V-14B --prompt \"Two anthropomorphic cats\"",
            model("T2V-14B"),
            {{"model", "./Wan2.1-T2V-14B"},
             {"width", "1280"},
             {"height", "720"},
             {"frames", "81"},
             {"steps", "50"},
             {"shift", "5"},
             {"guidance_scale", "5"},
             {"sampler", "unipc"},
             {"fps", "16"},
             {"keyframes", ""}}},
        Row{"Text1B",
            "--task t2v-1.3B --size 832*480 --ckpt_dir ./m --offload_model True --t5_cpu --sample_shift 8 "
            "--sample_guide_scale 6 --prompt x",
            model("T2V-1.3B"),
            {{"width", "832"}, {"height", "480"}, {"shift", "8"}, {"guidance_scale", "6"}}},
        Row{"Distributed",
            "--task t2v-14B --size 832X480 --ckpt_dir=./m --dit_fsdp --t5_fsdp --ulysses_size 8 --prompt=x "
            "--sample_solver dpm++ --frame_num 17 --base_seed 7",
            model("T2V-14B"),
            {{"sampler", "dpm++2m"}, {"frames", "17"}, {"seed", "7"}, {"width", "832"}}},
        Row{"Picture720",
            "--task i2v-14B --size 1280*720 --ckpt_dir ./m --image examples/i2v_input.JPG --prompt x",
            pictured("I2V-14B"),
            {{"keyframes", "0=examples/i2v_input.JPG"},
             {"steps", "40"},
             {"shift", "5"},
             {"width", "1104"},
             {"height", "816"},
             {"fit", "stretch"}}},
        Row{"Picture480",
            "--task i2v-14B --size 480*832 --ckpt_dir ./m --image a.png --prompt x",
            pictured("I2V-14B"),
            {{"shift", "3"}, {"width", "720"}, {"height", "544"}}},
        Row{"TwoPictures",
            "--task flf2v-14B --size 1280*720 --ckpt_dir ./m --first_frame a.png --last_frame b.png --prompt x",
            pictured("FLF2V-14B"),
            {{"keyframes", "0=a.png -1=b.png"}, {"steps", "50"}, {"shift", "16"}}},
        Row{"Still",
            "--task t2i-14B --size 1024*1024 --ckpt_dir ./m --prompt x",
            model("T2V-14B"),
            {{"frames", "1"}, {"width", "1024"}}},
        Row{"Shortened",
            "--ckpt ./m --prompt x --base 3 --sample_st 12 --frame 5",
            model("T2V-14B"),
            {{"seed", "3"}, {"steps", "12"}, {"frames", "5"}}},
        Row{"FoundByTensors", "--ckpt_dir ./m --prompt x", model("T2V-1.3B"), {{"width", "832"}, {"height", "480"}}}),
    [](const auto& info) { return info.param.name; });

TEST(WanGenerate, SaysWhatIsNotAsTheLineHasIt) {
  const auto notes = job_of("--task t2v-14B --ckpt_dir m --prompt x --frame_num 80", model("T2V-14B")).notes;
  ASSERT_EQ(notes.size(), 1u);
  EXPECT_NE(notes[0].find("80: rounded down to 77"), std::string::npos);
  EXPECT_EQ(job_of("--ckpt_dir m --prompt x", model("T2V-1.3B")).notes.size(), 2u);
  EXPECT_TRUE(job_of("--ckpt_dir m --prompt x", model("T2V-14B")).notes.empty());
}

TEST(WanGenerate, SeedsBelowZeroAreDrawn) {
  const auto seed = [] { return job_of("--ckpt_dir m --prompt x", model("T2V-14B")).settings.seed; };
  EXPECT_NE(seed(), seed());
}

TEST(WanGenerate, NamesItsOutput) {
  std::tm now{};
  now.tm_year = 126;
  now.tm_mon = 10;
  now.tm_mday = 5;
  now.tm_hour = 7;
  const auto name = [&](const std::string& text, const WanGenerateModel& found) {
    return wan_generate_output(job_of(text, found), line_of(text), now);
  };
  EXPECT_EQ(name("--task t2v-14B --ckpt_dir m --prompt \"a/b 5% of c\"", model("T2V-14B")),
            "t2v-14B_1280*720_1_1_a_b_5__of_c_20261105_070000.mp4");
  EXPECT_EQ(name("--task t2i-14B --ckpt_dir m --prompt x --ulysses_size 8", model("T2V-14B")),
            "t2i-14B_1280*720_8_1_x_20261105_070000.png");
  EXPECT_EQ(name("--task t2v-14B --ckpt_dir m --prompt x --save_file o.mp4", model("T2V-14B")), "o.mp4");
  std::string cats;
  for (int i = 0; i < 60; ++i) cats += "猫";
  EXPECT_EQ(name("--task t2v-14B --ckpt_dir m --prompt " + cats, model("T2V-14B")),
            "t2v-14B_1280*720_1_1_" + cats.substr(0, 150) + "_20261105_070000.mp4");
}

TEST(WanGenerate, RefusesInOneLine) {
  struct Case {
    const char* line;
    const char* expected;
    WanGenerateModel found = model("T2V-14B");
  };
  for (const auto& [line, expected, found] : std::initializer_list<Case>{
           {"--ckpt_dir m", "expected --prompt"},
           {"--prompt x", "expected --ckpt_dir"},
           {"--ckpt_dir m --prompt x --task flf2v-14B --first_frame a.png", "--last_frame: expected a picture"},
           {"--ckpt_dir m --prompt x --task flf2v-14B --last_frame a.png", "--first_frame: expected a picture"},
           {"--ckpt_dir m --prompt x --task i2v-14B", "--image: expected a picture"},
           {"--ckpt_dir m --prompt x --task t2v-14B --image a.png", "takes no such picture"},
           {"--ckpt_dir m --prompt x --task vace-14B", "keyflow does t2v-14B"},
           {"--ckpt_dir m --prompt x --task t2v", "did you mean t2v-14B?"},
           {"--ckpt_dir m --prompt x --task t2i-14B --frame_num 81", "expected 1"},
           {"--ckpt_dir m --prompt x --src_video v.mp4", "VACE"},
           {"--ckpt_dir m --prompt x --use_prompt_extend", "rewrites no prompts"},
           {"--ckpt_dir m --prompt x --size 1280", "WIDTHxHEIGHT"},
           {"--ckpt_dir m --prompt x --sample_steps 1e3", "--sample_steps"},
           {"--ckpt_dir m --prompt x --sample_shift nan", "--sample_shift"},
           {"--ckpt_dir m --prompt x --offload_model maybe", "--offload_model"},
           {"--ckpt_dir m --prompt x --t5_cpu=1", "expected no value"},
           {"--ckpt_dir m --prompt x --sample_stepz 5", "did you mean --sample_steps?"},
           {"--ckpt_dir m --prompt x --s 5", "unknown option"},
           {"--ckpt_dir m --prompt x --task t2v-1.3B", "the model is Wan2.1-T2V-14B; hint: --task t2v-14B"},
           {"--ckpt_dir m --prompt x --task t2v-14B", "the model is Wan2.1-I2V-14B; hint: --task i2v-14B",
            model("I2V-14B")},
           {"--ckpt_dir m --prompt x", "--image: expected a picture", model("I2V-14B")},
           {"--ckpt_dir m --prompt x", "no model of generate.py", model("Fun-1.3B-InP")}}) {
    try {
      job_of(line, found);
      ADD_FAILURE() << line << ": nothing was thrown";
    } catch (const Error& error) {
      const std::string text = error.what();
      EXPECT_TRUE(error.kind() == ErrorKind::usage || error.kind() == ErrorKind::config) << text;
      EXPECT_NE(text.find(expected), std::string::npos) << line << " gave: " << text;
      EXPECT_EQ(text.find('\n'), std::string::npos) << text;
    }
  }
}

// Every option of Wan2.1 @9737cba and Wan2.2 @42bf4cf.
TEST(WanGenerate, KnowsEveryOption) {
  const char* const names =
      "--task --size --frame_num --ckpt_dir --offload_model --ulysses_size --ring_size --t5_fsdp --t5_cpu --dit_fsdp "
      "--convert_model_dtype --save_file --prompt --image --first_frame --last_frame --src_video --src_mask "
      "--src_ref_images --base_seed --sample_solver --sample_steps --sample_shift --sample_guide_scale "
      "--use_prompt_extend --prompt_extend_method --prompt_extend_model --prompt_extend_target_lang --audio "
      "--pose_video --num_clip --infer_frames --start_from_ref --enable_tts --tts_prompt_audio --tts_prompt_text "
      "--tts_text --src_root_path --refert_num --replace_flag --use_relighting_lora -h --help";
  std::vector<std::string> known;
  for (const auto& group : wan_generate_options()) {
    for (const auto& option : group.options) {
      for (const auto& name : names_of({option.names, "", ""})) known.push_back(name);
      EXPECT_EQ(option.fate == Fate::without_effect, option.about.empty()) << option.names;
    }
  }
  for (const auto& name : split(names)) EXPECT_EQ(std::count(known.begin(), known.end(), name), 1) << name;
  EXPECT_EQ(known.size(), split(names).size());
}

}  // namespace
}  // namespace keyflow::apps
