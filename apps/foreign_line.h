#pragma once
#include "apps/command.h"

// The command lines of other programs: their options as a table, and a reader that keeps to their grammar.
namespace keyflow::apps {

/// What becomes of an option of another program.
enum class Fate {
  carried_out,
  without_effect,  ///< it decides speed, memory or printing there, and cannot change a pixel
  refused,         ///< it would change the result in a way that keyflow has no counterpart for
};

/// What several options of one name mean.
enum class Repeat { last_wins, list, joined_by_comma };

struct ForeignOption {
  std::string names;  ///< "-p,--prompt"; the last one is the name by which the line is asked for it
  std::string value;  ///< what stands behind it in the help; "" for a flag
  Fate fate = Fate::carried_out;
  std::string about;                      ///< for the help; of a refused one the way out
  std::vector<std::string> choices = {};  ///< the only values that fit; any where there are none
  Repeat repeat = Repeat::last_wins;
};

struct ForeignGroup {
  std::string title;
  std::vector<ForeignOption> options;
};

/// How a program's own parser reads words.
struct ForeignGrammar {
  std::string command;            ///< for messages: "sd-cli"
  bool joined_by_equals = false;  ///< --name=value
  bool may_be_shortened = false;  ///< --base for --base_seed, where no other option begins so
};

/// A line as it was read. Values are texts; names are without dashes.
class ForeignLine {
 public:
  bool has(const std::string& name) const;
  /// The last value, or all of them joined where the table says so; `fallback` where the option was not given.
  std::string text(const std::string& name, const std::string& fallback = "") const;
  std::vector<std::string> list(const std::string& name) const;
  /// The one of these options that was given last, "" if none was.
  std::string last_of(const std::vector<std::string>& names) const;
  /// As written, the options that were accepted and do nothing.
  const std::vector<std::string>& without_effect() const { return without_effect_; }

  void add(const ForeignOption& option, const std::string& value);
  void add_without_effect(const std::string& name) { without_effect_.push_back(name); }

 private:
  struct Given {
    std::string name, value;
    Repeat repeat;
  };
  std::vector<Given> given_;
  std::vector<std::string> without_effect_;
};

/// Throws Error::usage, one line: an unknown option with the nearest one's name, a word that belongs to no option, a
/// missing value (an option's name is none), a value outside an enumeration, a refused option with the way out.
ForeignLine read_foreign_line(const ForeignGrammar& grammar, const std::vector<ForeignGroup>& table,
                              const std::vector<std::string>& words);

/// The table for the help page and the completions, which show what is carried out.
std::vector<OptionGroup> shown_groups(const std::vector<ForeignGroup>& table);

}  // namespace keyflow::apps
