#pragma once
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace keyflow::apps {

/// One option as a command declares it.
struct Option {
  std::string names;  ///< "-p,--prompt": the last one is the name by which the command asks for it
  std::string value;  ///< what stands behind it in the help: "TEXT", "N", "FILE"; "" for a flag
  std::string help;
  std::vector<std::string> choices = {};  ///< the only values that fit; any where there are none
  bool repeats = false;  ///< several values make a list; elsewhere a second, different value is an error
  bool hidden = false;   ///< another program's name for something that the help shows elsewhere
  bool open = false;     ///< the choices are what completion offers; other spellings fit too, and the command judges
};

struct OptionGroup {
  std::string title;
  std::vector<Option> options;
};

/// What the user wrote, as text: which options with which values, and the words that belong to none.
class Arguments {
 public:
  /// `name` without dashes, here and below.
  bool has(const std::string& name) const { return values_.count(name) > 0; }
  /// The value, or `fallback` where the option was not given.
  std::string text(const std::string& name, const std::string& fallback = "") const;
  /// All values of an option that repeats, in order.
  std::vector<std::string> list(const std::string& name) const;
  const std::vector<std::string>& operands() const { return operands_; }
  const std::map<std::string, std::vector<std::string>>& all() const { return values_; }

  void add(const std::string& name, const std::string& value) { values_[name].push_back(value); }
  void add_operand(const std::string& word) { operands_.push_back(word); }

 private:
  std::map<std::string, std::vector<std::string>> values_;
  std::vector<std::string> operands_;
};

/// A subcommand of the program.
struct Command {
  std::string name;
  std::string summary;
  std::string operands;  ///< as the help shows them: "FIRST.png NEXT.png..."
  size_t least_operands = 0, most_operands = 0;
  std::vector<OptionGroup> groups;
  std::string example;                       ///< one line under the options
  std::function<int(const Arguments&)> run;  ///< returns the exit code; failures are thrown
  /// In place of `run` for a command that takes another program's line: gets all words behind the command's name.
  std::function<int(const std::vector<std::string>& words)> run_words;
};

/// "-p,--prompt" as {"-p", "--prompt"}.
std::vector<std::string> names_of(const Option& option);
/// "prompt", the name by which Arguments knows the option.
std::string key_of(const Option& option);
/// True where the value is a path that a shell can complete.
bool takes_path(const Option& option);

}  // namespace keyflow::apps
