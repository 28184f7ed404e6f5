#include "apps/command_line.h"

#include "apps/console.h"
#include "apps/help.h"
#include "core/error.h"

namespace keyflow::apps {
namespace {

std::string in_quotes(std::string_view word) { return "\"" + printable(word) + "\""; }

std::string hint(std::string_view word, const std::vector<std::string>& candidates) {
  const std::string near = nearest(word, candidates);
  return near.empty() ? "" : "; hint: did you mean " + near + "?";
}

std::vector<std::string> option_names(const Command& command) {
  std::vector<std::string> names{"-h", "--help"};
  for (const auto& group : command.groups) {
    for (const auto& option : group.options) {
      for (const auto& name : names_of(option)) names.push_back(name);
    }
  }
  return names;
}

const Option* find_option(const Command& command, const std::string& name) {
  for (const auto& group : command.groups) {
    for (const auto& option : group.options) {
      const auto names = names_of(option);
      if (std::find(names.begin(), names.end(), name) != names.end()) return &option;
    }
  }
  return nullptr;
}

/// CLI11 holds the tree and writes the help, but its own loop (2.1) cannot be used: it takes the next word as the value
/// of `--x=`, splits "[a,b]" in two, and does not say which option a fault belongs to.
class Reader {
 public:
  Reader(const Command& command, const std::vector<std::string>& words) : command_(command), words_(words) {}

  Arguments read() {
    while (next_ < words_.size()) {
      const std::string& word = words_[next_++];
      if (word == "--") {
        while (next_ < words_.size()) arguments_.add_operand(words_[next_++]);
      } else if (word.size() > 1 && word[0] == '-') {
        read_option(word);
      } else {
        arguments_.add_operand(word);
      }
    }
    if (!arguments_.has("help")) require_operands();
    return arguments_;
  }

 private:
  void read_option(const std::string& word) {
    const auto equals = word.starts_with("--") ? word.find('=') : std::string::npos;
    const std::string name = word.substr(0, equals);
    if (name == "-h" || name == "--help") return arguments_.add("help", "");
    const Option* option = find_option(command_, name);
    if (!option) {
      fail(ErrorKind::usage, "keyflow ", command_.name, ": unknown option ", in_quotes(name),
           hint(name, option_names(command_)));
    }
    if (option->value.empty()) {
      if (equals != std::string::npos) {
        fail(ErrorKind::usage, name, ": expected no value, found ", in_quotes(word.substr(equals + 1)));
      }
      if (!arguments_.has(key_of(*option))) arguments_.add(key_of(*option), "");
      return;
    }
    add(*option, name, equals == std::string::npos ? next_value(*option, name) : word.substr(equals + 1));
  }

  std::string next_value(const Option& option, const std::string& name) {
    require(next_ < words_.size(), ErrorKind::usage, name, ": expected a value (", option.value,
            "), found the end of the command line");
    const std::string& value = words_[next_];
    require(!find_option(command_, value), ErrorKind::usage, name, ": expected a value (", option.value,
            "), found the option ", value, "; hint: write ", name, "=", value, " if it is meant");
    ++next_;
    return value;
  }

  void add(const Option& option, const std::string& name, const std::string& value) {
    const auto& choices = option.choices;
    if (!choices.empty() && !option.open && std::find(choices.begin(), choices.end(), value) == choices.end()) {
      std::string list;
      for (const auto& choice : choices) list += (list.empty() ? "" : ", ") + choice;
      fail(ErrorKind::usage, name, ": expected one of ", list, "; found ", in_quotes(value), hint(value, choices));
    }
    const std::string key = key_of(option);
    if (!option.repeats && arguments_.has(key)) {
      require(arguments_.text(key) == value, ErrorKind::usage, name, ": given twice with different values, ",
              in_quotes(arguments_.text(key)), " and ", in_quotes(value));
      return;
    }
    arguments_.add(key, value);
  }

  // require() evaluates its message even when all is well, so these words are looked at behind an `if`.
  void require_operands() const {
    const auto& words = arguments_.operands();
    if (words.size() < command_.least_operands) {
      fail(ErrorKind::usage, "keyflow ", command_.name, ": expected ", command_.operands, ", found ",
           words.empty() ? "nothing" : "only " + in_quotes(words[0]));
    }
    if (words.size() > command_.most_operands) {
      fail(ErrorKind::usage, "keyflow ", command_.name, ": unexpected word ", in_quotes(words[command_.most_operands]),
           command_.operands.empty() ? "" : "; expected " + command_.operands);
    }
  }

  const Command& command_;
  const std::vector<std::string>& words_;
  size_t next_ = 0;
  Arguments arguments_;
};

}  // namespace

int run_command_line(const std::vector<Command>& commands, const std::vector<std::string>& words) {
  const std::string first = words.empty() ? "--help" : words[0];
  if (first == "-h" || first == "--help" || first == "help") {
    print(top_help(commands));
    return 0;
  }
  if (first == "--version") {
    print(version_text());
    return 0;
  }
  std::vector<std::string> names{"--help", "--version"};
  for (const auto& command : commands) {
    if (command.name == first) {
      if (command.run_words) return command.run_words({words.begin() + 1, words.end()});
      const Arguments arguments = Reader(command, {words.begin() + 1, words.end()}).read();
      if (!arguments.has("help")) return command.run(arguments);
      print(command_help(command));
      return 0;
    }
    names.push_back(command.name);
  }
  fail(ErrorKind::usage, "keyflow: unknown ", first.starts_with("-") ? "option " : "command ", in_quotes(first),
       hint(first, names), nearest(first, names).empty() ? "; hint: keyflow --help lists the commands" : "");
}

}  // namespace keyflow::apps
