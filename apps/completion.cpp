#include "apps/completion.h"

#include "core/error.h"

namespace keyflow::apps {
namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

std::vector<Option> visible_options(const Command& command) {
  std::vector<Option> list;
  for (const auto& group : command.groups) {
    for (const auto& option : group.options) {
      if (!option.hidden) list.push_back(option);
    }
  }
  list.push_back({"-h,--help", "", "Show this page"});
  return list;
}

/// Inside single quotes, for all three shells; zsh reads brackets and colons of a description as its own.
std::string quoted(const std::string& text, bool zsh = false) {
  std::string out;
  for (const char c : text) {
    if (c == '\'')
      out += "'\\''";
    else if (zsh && (c == '[' || c == ']' || c == ':'))
      out += std::string("\\") + c;
    else
      out += c;
  }
  return out;
}

std::string bash(const std::vector<Command>& commands) {
  std::string names, options, values, flags;
  for (const auto& command : commands) {
    names += (names.empty() ? "" : " ") + command.name;
    std::string words;
    for (const auto& option : visible_options(command)) {
      const auto spelled = names_of(option);
      words += (words.empty() ? "" : " ") + joined(spelled);
      std::string patterns;
      for (const auto& name : spelled) patterns += (patterns.empty() ? "'" : "|'") + command.name + " " + name + "'";
      if (!option.choices.empty()) {
        values += "    " + patterns + ") COMPREPLY=($(compgen -W '" + joined(option.choices) +
                  "' -- \"$word\")); return ;;\n";
      } else if (!option.value.empty()) {
        values += "    " + patterns + ") return ;;\n";
      }
    }
    options += "    " + command.name + ") COMPREPLY=($(compgen -W '" + words + "' -- \"$word\")) ;;\n";
  }
  return "# keyflow: put this into ~/.bashrc:  source <(keyflow completion bash)\n"
         "_keyflow() {\n"
         "  local word=\"${COMP_WORDS[COMP_CWORD]}\" before=\"${COMP_WORDS[COMP_CWORD-1]}\"\n"
         "  COMPREPLY=()\n"
         "  if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
         "    COMPREPLY=($(compgen -W '" +
         names +
         " --help --version' -- \"$word\"))\n"
         "    return\n"
         "  fi\n"
         "  case \"${COMP_WORDS[1]} $before\" in\n" +
         values +
         "  esac\n"
         "  [[ \"$word\" == -* ]] || return\n"
         "  case \"${COMP_WORDS[1]}\" in\n" +
         options +
         "  esac\n"
         "}\n"
         "complete -o default -F _keyflow keyflow\n";
}

std::string zsh_option(const Option& option) {
  const auto names = names_of(option);
  std::string text = "      ";
  if (option.repeats)
    text += "'*'";
  else if (names.size() > 1)
    text += "'(" + joined(names) + ")'";
  std::string list;
  for (const auto& name : names) list += (list.empty() ? "" : ",") + name;
  text += names.size() > 1 ? "{" + list + "}" : list;
  text += "'[" + quoted(option.help, true) + "]";
  if (!option.value.empty()) {
    const std::string action = !option.choices.empty() ? "(" + joined(option.choices) + ")"
                               : takes_path(option)    ? "_files"
                                                       : "";
    text += ":" + quoted(option.value, true) + ":" + action;
  }
  return text + "'";
}

std::string zsh(const std::vector<Command>& commands) {
  std::string names, cases;
  for (const auto& command : commands) {
    names += "    '" + command.name + ":" + quoted(command.summary) + "'\n";
    cases += "    " + command.name + ") _arguments";
    for (const auto& option : visible_options(command)) cases += " \\\n" + zsh_option(option);
    cases += " \\\n      '*:file:_files' ;;\n";
  }
  return "#compdef keyflow\n"
         "# keyflow: keyflow completion zsh > a folder of $fpath, as _keyflow\n"
         "_keyflow() {\n"
         "  local -a commands=(\n" +
         names +
         "  )\n"
         "  if (( CURRENT == 2 )); then\n"
         "    _describe command commands\n"
         "    return\n"
         "  fi\n"
         "  local command=$words[2]\n"
         "  shift words\n"
         "  (( CURRENT-- ))\n"
         "  case $command in\n" +
         cases +
         "  esac\n"
         "}\n"
         "compdef _keyflow keyflow\n";
}

std::string fish(const std::vector<Command>& commands) {
  std::string text = "# keyflow: keyflow completion fish > ~/.config/fish/completions/keyflow.fish\n";
  for (const auto& command : commands) {
    text += "complete -c keyflow -n __fish_use_subcommand -f -a " + command.name + " -d '" + quoted(command.summary) +
            "'\n";
    for (const auto& option : visible_options(command)) {
      text += "complete -c keyflow -n '__fish_seen_subcommand_from " + command.name + "'";
      for (const auto& name : names_of(option))
        text += (name[1] == '-' ? " -l " : " -s ") + name.substr(name[1] == '-' ? 2 : 1);
      if (!option.choices.empty())
        text += " -x -a '" + joined(option.choices) + "'";
      else if (takes_path(option))
        text += " -r -F";
      else if (!option.value.empty())
        text += " -x";
      text += " -d '" + quoted(option.help) + "'\n";
    }
  }
  return text;
}

}  // namespace

std::string completion_script(const std::vector<Command>& commands, const std::string& shell) {
  if (shell == "bash") return bash(commands);
  if (shell == "zsh") return zsh(commands);
  if (shell == "fish") return fish(commands);
  fail(ErrorKind::usage, "keyflow completion: expected bash, zsh or fish, found \"", printable(shell), "\"");
}

}  // namespace keyflow::apps
