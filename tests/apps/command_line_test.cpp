// The reader of the command line, its help pages and completions, in the process.
#include "apps/command_line.h"

#include <gtest/gtest.h>

#include <sstream>

#include "apps/commands.h"
#include "apps/completion.h"
#include "apps/help.h"
#include "apps/numbers.h"
#include "apps/program.h"
#include "core/error.h"

namespace keyflow::apps {
namespace {

Arguments read(const std::vector<std::string>& words) {
  Arguments result;
  Command command;
  command.name = "try";
  command.operands = "FILE...";
  command.most_operands = 3;
  command.groups = {{"Options",
                     {{"-p,--prompt", "TEXT", "text"},
                      {"--mode", "NAME", "mode", {"one", "two"}},
                      {"--key", "N=FILE", "list", {}, true},
                      {"-v,--verbose", "", "flag"}}}};
  command.run = [&](const Arguments& arguments) {
    result = arguments;
    return 0;
  };
  std::vector<std::string> line{"try"};
  line.insert(line.end(), words.begin(), words.end());
  EXPECT_EQ(run_command_line({command}, line), 0);
  return result;
}

TEST(CommandLine, TakesValuesAsTheyAre) {
  EXPECT_EQ(read({"--prompt", "-5 cats"}).text("prompt"), "-5 cats");
  EXPECT_EQ(read({"-p", "--stranger"}).text("prompt"), "--stranger");
  EXPECT_EQ(read({"--prompt=a=b"}).text("prompt"), "a=b");
  EXPECT_EQ(read({"--prompt=", "x"}).text("prompt"), "");
  EXPECT_EQ(read({"--prompt=--mode"}).text("prompt"), "--mode");
  EXPECT_EQ(read({"--prompt", ""}).text("prompt", "fallback"), "");
  EXPECT_EQ(read({"--prompt", "a * % | < \n"}).text("prompt"), "a * % | < \n");
  EXPECT_EQ(read({"-p", "[a,b]"}).text("prompt"), "[a,b]");
}

TEST(CommandLine, GathersListsAndOperands) {
  const Arguments arguments = read({"--key", "1=a", "[x,y].png", "--key=2=b", "-v", "--", "-p", "try"});
  EXPECT_EQ(arguments.list("key"), (std::vector<std::string>{"1=a", "2=b"}));
  EXPECT_EQ(arguments.operands(), (std::vector<std::string>{"[x,y].png", "-p", "try"}));
  EXPECT_TRUE(arguments.has("verbose"));
  EXPECT_FALSE(arguments.has("prompt"));
  EXPECT_EQ(read({"-"}).operands(), std::vector<std::string>{"-"});
}

TEST(CommandLine, RefusesWithTheNearestName) {
  const auto message = [](const std::vector<std::string>& words) -> std::string {
    try {
      read(words);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::usage);
      return error.what();
    }
    return "nothing was thrown";
  };
  EXPECT_NE(message({"--promt", "x"}).find("did you mean --prompt?"), std::string::npos);
  EXPECT_NE(message({"--mode", "tow"}).find("did you mean two?"), std::string::npos);
  EXPECT_NE(message({"a", "b", "c", "d"}).find("unexpected word \"d\""), std::string::npos);
}

TEST(Numbers, AreWholeTextsWithinTheirRange) {
  EXPECT_EQ(whole_number("--n", "-12", -20, 20), -12);
  EXPECT_EQ(unsigned_number("--seed", "18446744073709551615"), 18446744073709551615u);
  EXPECT_DOUBLE_EQ(real_number("--x", "2.5e-1", 0, 1), 0.25);
  EXPECT_THROW(real_number("--x", "1e-400", 0, 1), Error);
  EXPECT_THROW(real_number("--x", "1,5", 0, 10), Error);
  for (const char* text : {"832x480", "832*480", "832X480"}) {
    EXPECT_EQ(size_of_frame("--size", text), (std::pair<int64_t, int64_t>(832, 480)));
  }
  for (const char* text : {"832x", "x480", "832x480x3", "-832x480", "832", "", "832 x 480", "4294967296x1"}) {
    EXPECT_THROW(size_of_frame("--size", text), Error) << text;
  }
}

void expect_page(const std::string& page, size_t most_lines, const std::string& name) {
  std::istringstream lines(page);
  size_t count = 0;
  for (std::string line; std::getline(lines, line); ++count) EXPECT_LE(line.size(), 80u) << name << ": " << line;
  EXPECT_LE(count, most_lines) << name;
}

TEST(Help, FitsAScreen) {
  expect_page(top_help(all_commands()), 24, "keyflow");
  for (const auto& command : all_commands()) {
    const bool is_long = command.run_words || command.name == "image";  // what other programs' lines and tasks need
    expect_page(command_help(command), is_long ? 120 : 90, command.name);
  }
}

TEST(Help, NamesEveryCommandAndOption) {
  const std::string top = top_help(all_commands());
  for (const auto& command : all_commands()) {
    EXPECT_NE(top.find("\n  " + command.name + " "), std::string::npos) << command.name;
    const std::string page = command_help(command);
    for (const auto& group : command.groups) {
      for (const auto& option : group.options) {
        if (option.hidden) continue;
        EXPECT_NE(page.find("--" + key_of(option)), std::string::npos) << option.names;
      }
    }
  }
}

TEST(Commands, OptionNamesAreUnique) {
  for (const auto& command : all_commands()) {
    std::set<std::string> seen{"-h", "--help"};
    for (const auto& group : command.groups) {
      for (const auto& option : group.options) {
        for (const auto& name : names_of(option)) EXPECT_TRUE(seen.insert(name).second) << command.name << " " << name;
      }
    }
  }
}

class Completion : public ::testing::TestWithParam<std::string> {};

TEST_P(Completion, IsValidShell) {
  const std::string shell = GetParam(), script = completion_script(all_commands(), shell);
  for (const auto& command : all_commands()) EXPECT_NE(script.find(command.name), std::string::npos);
  if (std::system(("command -v " + shell + " >/dev/null 2>&1").c_str()) != 0) GTEST_SKIP() << "needs " << shell;
  const tests::TestFolder folder;
  const std::string file = folder.write("script", script);
  EXPECT_EQ(std::system((shell + " -n " + file).c_str()), 0);
}
INSTANTIATE_TEST_SUITE_P(Shells, Completion, ::testing::Values("bash", "zsh", "fish"),
                         [](const auto& info) { return info.param; });

TEST(Completion, OfBashOffersNamesAndValues) {
  const tests::TestFolder folder;
  folder.write("script", completion_script(all_commands(), "bash"));
  const auto offered = [&](const std::string& words, int at) {
    const std::string line = "cd " + folder.path().string() + "; . ./script; COMP_WORDS=(" + words +
                             "); COMP_CWORD=" + std::to_string(at) +
                             "; _keyflow; printf '%s ' \"${COMPREPLY[@]}\" > offered";
    EXPECT_EQ(std::system(("bash " + folder.write("ask", line)).c_str()), 0);
    return tests::file_content(folder / "offered");
  };
  EXPECT_EQ(offered("keyflow sig", 1), "sigmas ");
  EXPECT_EQ(offered("keyflow sigmas --samp", 2), "--sampler ");
  EXPECT_EQ(offered("keyflow sigmas --sampler uni", 3), "unipc ");
  EXPECT_EQ(offered("keyflow sigmas --steps 2", 3), " ");
}

}  // namespace
}  // namespace keyflow::apps
