#include "pipeline/settings.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/error.h"

namespace keyflow::pipeline {
namespace {

using nlohmann::json;

/// The message of the Error that `run` throws, "" if it throws none; its kind goes to `kind`.
template <class Run>
std::string message_of(Run&& run, ErrorKind& kind) {
  try {
    run();
  } catch (const Error& error) {
    kind = error.kind();
    return error.what();
  }
  return "";
}

bool holds(const std::string& text, std::initializer_list<const char*> parts) {
  for (const char* part : parts) {
    if (text.find(part) == std::string::npos) return false;
  }
  return true;
}

TEST(Settings, TextSetsEveryKindOfField) {
  RenderSettings settings;
  const auto set = [&](const char* field, const char* text) {
    assign(settings, field, text, Origin::command_line, std::string("--") + field);
  };
  set("steps", "50");
  set("guidance_scale", "3.5");
  set("seed", "18446744073709551615");
  set("color_match", "true");
  set("prompt", "a cat");
  set("keyframes", "8=mid=1.png");
  set("keyframes", "-1=last.png");
  EXPECT_EQ(settings.steps, 50);
  EXPECT_EQ(settings.guidance_scale, 3.5);
  EXPECT_EQ(settings.seed, 18446744073709551615u);
  EXPECT_TRUE(settings.color_match);
  EXPECT_EQ(settings.prompt, "a cat");
  ASSERT_EQ(settings.keyframes.size(), 2u);
  EXPECT_EQ(settings.keyframes[0].frame, 8);
  EXPECT_EQ(settings.keyframes[0].picture, "mid=1.png");
  EXPECT_EQ(settings.keyframes[1].frame, -1);
  EXPECT_EQ(settings.origins.at("steps"), Origin::command_line);
}

struct BadText {
  const char *field, *text, *expected;
};
class SettingsText : public testing::TestWithParam<BadText> {};

// Rows A01 and A02 of the list of hostile inputs.
TEST_P(SettingsText, IsRefusedWithFieldValueAndForm) {
  RenderSettings settings;
  ErrorKind kind = ErrorKind::internal;
  const std::string message =
      message_of([&] { assign(settings, GetParam().field, GetParam().text, Origin::command_line, "--option"); }, kind);
  EXPECT_EQ(kind, ErrorKind::usage);
  EXPECT_TRUE(holds(message, {"--option", GetParam().text, GetParam().expected})) << message;
}
INSTANTIATE_TEST_SUITE_P(
    A01, SettingsText,
    testing::Values(BadText{"steps", "abc", "whole number from 1 to 10000"}, BadText{"steps", "1e3", "whole number"},
                    BadText{"steps", "20x", "whole number"}, BadText{"steps", "10001", "10000"},
                    BadText{"seed", "99999999999999999999", "18446744073709551615"}, BadText{"seed", "-1", "0 to"},
                    BadText{"guidance_scale", "foo", "a number"}, BadText{"guidance_scale", "nan", "a number"},
                    BadText{"guidance_scale", "inf", "a number"}, BadText{"guidance_scale", "1e400", "a number"},
                    BadText{"conventions", "oficial", "nearest: official"}, BadText{"keyframes", "8", "FRAME=PICTURE"},
                    BadText{"keyframes", "x=a.png", "FRAME=PICTURE"}, BadText{"keyframes", "8=", "FRAME=PICTURE"},
                    BadText{"keyframes", "-2=a.png", "FRAME=PICTURE"}, BadText{"color_match", "yes", "true or false"}));

TEST(Settings, StrongerOriginsWinInAnyOrder) {
  RenderSettings settings;
  assign(settings, "steps", "7", Origin::command_line, "--steps");
  apply_json(settings, json{{"steps", 30}, {"fps", 8}}, Origin::file, "job.json");
  EXPECT_EQ(settings.steps, 7);
  EXPECT_EQ(settings.fps, 8);
  apply_json(settings, json{{"fps", 24}}, Origin::model, "preset");
  EXPECT_EQ(settings.fps, 8);
  EXPECT_EQ(settings.origins.at("fps"), Origin::file);
}

TEST(Settings, KeyframesOfAStrongerOriginReplaceTheList) {
  RenderSettings settings;
  apply_json(settings, json{{"keyframes", json::array({{{"frame", 0}, {"picture", "a.png"}}})}}, Origin::file, "job");
  assign(settings, "keyframes", "0=b.png", Origin::command_line, "--first");
  assign(settings, "keyframes", "-1=c.png", Origin::command_line, "--last");
  ASSERT_EQ(settings.keyframes.size(), 2u);
  EXPECT_EQ(settings.keyframes[0].picture, "b.png");
}

TEST(Settings, ListsGrowWordByWordOrComeWhole) {
  RenderSettings settings;
  const auto set = [&](const char* field, const char* text) {
    assign(settings, field, text, Origin::command_line, std::string("--") + field);
  };
  set("control_nets", "a.safetensors");
  set("control_nets", "b,c.safetensors");
  EXPECT_EQ(settings.control_nets, (std::vector<std::string>{"a.safetensors", "b,c.safetensors"}));
  set("control_strengths", "0.5,1");
  EXPECT_EQ(settings.control_strengths, (std::vector<double>{0.5, 1}));
  set("skip_layers", "[7,8,9]");
  EXPECT_EQ(settings.skip_layers, (std::vector<int64_t>{7, 8, 9}));
  set("loras", "style.safetensors");
  set("loras", "dir:x/y.pt:0.8");
  set("loras", "z.pt:-1:0.25");
  EXPECT_EQ(settings.loras,
            (std::vector<LoraSetting>{{"style.safetensors", 1, 1}, {"dir:x/y.pt", 0.8, 0.8}, {"z.pt", -1, 0.25}}));
  RenderSettings copy;
  apply_json(copy, to_json(settings), Origin::metadata, "copy");
  EXPECT_EQ(copy.loras, settings.loras);
  EXPECT_EQ(copy.control_strengths, settings.control_strengths);
  ErrorKind kind{};
  EXPECT_TRUE(
      holds(message_of([&] { set("control_strengths", "1,x"); }, kind), {"--control_strengths", "0 to 10", "x"}));
  EXPECT_TRUE(holds(message_of([&] { set("loras", ":0.5"); }, kind), {"--loras", "FILE:WEIGHT"}));
  EXPECT_TRUE(holds(message_of(
                        [&] {
                          apply_json(copy, {{"loras", {{{"weight", 1}}}}}, Origin::file, "j");
                        },
                        kind),
                    {"loras", "path"}));
}

TEST(Settings, JsonRoundTripKeepsEveryField) {
  RenderSettings settings;
  settings.prompt = "ein \"Zitat\"\n漢字";
  settings.keyframes = {{0, "a.png", ""}, {-1, "b c.png", ""}};
  settings.seed = 18446744073709551615u;
  settings.shift = 0.1;
  settings.steps = 3;
  settings.color_match = true;
  RenderSettings back;
  apply_json(back, json::parse(to_json(settings).dump()), Origin::file, "job.json");
  back.origins.clear();
  EXPECT_EQ(to_json(back), to_json(settings));
  EXPECT_EQ(back.keyframes, settings.keyframes);
  EXPECT_EQ(back.seed, settings.seed);
}

struct BadJson {
  const char *text, *expected;
};
class SettingsJson : public testing::TestWithParam<BadJson> {};
TEST_P(SettingsJson, IsRefusedWithTheKey) {
  RenderSettings settings;
  ErrorKind kind = ErrorKind::internal;
  const std::string message =
      message_of([&] { apply_json(settings, json::parse(GetParam().text), Origin::file, "job.json"); }, kind);
  EXPECT_EQ(kind, ErrorKind::config);
  EXPECT_TRUE(holds(message, {"job.json", GetParam().expected})) << message;
}
INSTANTIATE_TEST_SUITE_P(
    C02, SettingsJson,
    testing::Values(BadJson{R"({"stpes": 3})", "nearest: steps"}, BadJson{R"({"steps": "3"})", "steps"},
                    BadJson{R"({"steps": 1.5})", "whole number"},
                    BadJson{R"({"steps": 18446744073709551615})", "whole number"}, BadJson{R"({"seed": -1})", "seed"},
                    BadJson{R"({"prompt": 5})", "a text"}, BadJson{R"({"keyframes": [{"frame": 0}]})", "picture"},
                    BadJson{R"({"keyframes": {"0": "a.png"}})", "array"}, BadJson{R"([1])", "array"}));

TEST(Settings, DescribeNamesEveryFieldOnceWithItsOrigin) {
  RenderSettings settings;
  assign(settings, "steps", "12", Origin::command_line, "--steps");
  const auto lines = describe(settings);
  ASSERT_EQ(lines.size(), setting_names().size());
  for (const auto& line : lines) {
    EXPECT_EQ(line.origin, line.name == "steps" ? Origin::command_line : Origin::builtin);
    EXPECT_TRUE(line.name != "steps" || line.value == "12");
  }
}

}  // namespace
}  // namespace keyflow::pipeline
