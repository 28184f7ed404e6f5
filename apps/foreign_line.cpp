#include "apps/foreign_line.h"

#include <algorithm>

#include "core/error.h"

namespace keyflow::apps {
namespace {

Option shown(const ForeignOption& option) { return {option.names, option.value, option.about, option.choices}; }

std::string in_quotes(const std::string& word) { return "\"" + printable(word) + "\""; }

class Reader {
 public:
  Reader(const ForeignGrammar& grammar, const std::vector<ForeignGroup>& table, const std::vector<std::string>& words)
      : grammar_(grammar), words_(words) {
    for (const auto& group : table) {
      for (const auto& option : group.options) {
        for (const auto& name : names_of(shown(option))) options_.push_back({name, &option});
      }
    }
  }

  ForeignLine read() {
    while (next_ < words_.size()) read_option(words_[next_++]);
    return line_;
  }

 private:
  struct Named {
    std::string name;
    const ForeignOption* option;
  };

  const ForeignOption* find(const std::string& name) const {
    std::vector<const ForeignOption*> begins;
    for (const auto& known : options_) {
      if (known.name == name) return known.option;
      const bool fits = name.size() > 2 && known.name.starts_with(name);
      if (grammar_.may_be_shortened && fits) begins.push_back(known.option);
    }
    const bool one = !begins.empty() && std::equal(begins.begin() + 1, begins.end(), begins.begin());
    return one ? begins.front() : nullptr;
  }

  [[noreturn]] void refuse_unknown(const std::string& word) const {
    if (!word.starts_with("-")) {
      fail(ErrorKind::usage, "keyflow ", grammar_.command, ": unexpected word ", in_quotes(word),
           "; expected an option");
    }
    std::vector<std::string> names;
    for (const auto& known : options_) names.push_back(known.name);
    const std::string name = word.substr(0, word.find('=')), near = nearest(name, names);
    const bool equals = name != word && find(name) != nullptr;
    fail(ErrorKind::usage, "keyflow ", grammar_.command, ": unknown option ", in_quotes(word),
         equals         ? "; hint: " + name + " VALUE, as two words"
         : near.empty() ? ""
                        : "; hint: did you mean " + near + "?");
  }

  void read_option(const std::string& word) {
    const auto equals = grammar_.joined_by_equals && word.starts_with("--") ? word.find('=') : std::string::npos;
    const std::string name = word.substr(0, equals);
    const ForeignOption* option = find(name);
    if (!option) refuse_unknown(word);
    if (option->fate == Fate::refused) {
      fail(ErrorKind::usage, "keyflow ", grammar_.command, ": ", name, ": ", option->about);
    }
    std::string value;
    if (option->value.empty()) {
      if (equals != std::string::npos) {
        fail(ErrorKind::usage, name, ": expected no value, found ", in_quotes(word.substr(equals + 1)));
      }
    } else {
      value = equals != std::string::npos ? word.substr(equals + 1) : next_value(*option, name);
    }
    require_choice(*option, name, value);
    if (option->fate == Fate::without_effect) line_.add_without_effect(name);
    line_.add(*option, value);
  }

  std::string next_value(const ForeignOption& option, const std::string& name) {
    if (next_ == words_.size()) {
      fail(ErrorKind::usage, name, ": expected a value (", option.value, "), found the end of the command line");
    }
    const std::string& value = words_[next_];
    const bool is_option =
        std::any_of(options_.begin(), options_.end(), [&](const auto& it) { return it.name == value; });
    if (is_option) {
      fail(ErrorKind::usage, name, ": expected a value (", option.value, "), found the option ", value);
    }
    ++next_;
    return value;
  }

  static void require_choice(const ForeignOption& option, const std::string& name, const std::string& value) {
    const auto& choices = option.choices;
    if (choices.empty() || std::find(choices.begin(), choices.end(), value) != choices.end()) return;
    std::string list;
    for (const auto& choice : choices) list += (list.empty() ? "" : ", ") + choice;
    std::string near = nearest(value, choices);
    const auto begun = std::find_if(choices.begin(), choices.end(),
                                    [&](const std::string& choice) { return choice.starts_with(value); });
    if (near.empty() && !value.empty() && begun != choices.end()) near = *begun;
    fail(ErrorKind::usage, name, ": expected one of ", list, "; found ", in_quotes(value),
         near.empty() ? "" : "; hint: did you mean " + near + "?");
  }

  const ForeignGrammar& grammar_;
  const std::vector<std::string>& words_;
  std::vector<Named> options_;
  size_t next_ = 0;
  ForeignLine line_;
};

}  // namespace

bool ForeignLine::has(const std::string& name) const {
  return std::any_of(given_.begin(), given_.end(), [&](const Given& given) { return given.name == name; });
}

std::string ForeignLine::text(const std::string& name, const std::string& fallback) const {
  std::string value = fallback;
  bool first = true;
  for (const auto& given : given_) {
    if (given.name != name) continue;
    value = given.repeat == Repeat::joined_by_comma && !first ? value + "," + given.value : given.value;
    first = false;
  }
  return value;
}

std::vector<std::string> ForeignLine::list(const std::string& name) const {
  std::vector<std::string> values;
  for (const auto& given : given_) {
    if (given.name == name) values.push_back(given.value);
  }
  return values;
}

std::string ForeignLine::last_of(const std::vector<std::string>& names) const {
  std::string last;
  for (const auto& given : given_) {
    if (std::find(names.begin(), names.end(), given.name) != names.end()) last = given.name;
  }
  return last;
}

void ForeignLine::add(const ForeignOption& option, const std::string& value) {
  given_.push_back({key_of(shown(option)), value, option.repeat});
}

ForeignLine read_foreign_line(const ForeignGrammar& grammar, const std::vector<ForeignGroup>& table,
                              const std::vector<std::string>& words) {
  return Reader(grammar, table, words).read();
}

std::vector<OptionGroup> shown_groups(const std::vector<ForeignGroup>& table) {
  std::vector<OptionGroup> groups;
  for (const auto& group : table) {
    OptionGroup shown_group{group.title, {}};
    for (const auto& option : group.options) {
      const bool is_help = key_of(shown(option)) == "help";  // which every command has
      if (option.fate == Fate::carried_out && !is_help) shown_group.options.push_back(shown(option));
    }
    if (!shown_group.options.empty()) groups.push_back(std::move(shown_group));
  }
  return groups;
}

}  // namespace keyflow::apps
