#include "apps/help.h"

#include <CLI/CLI.hpp>

namespace keyflow::apps {
namespace {

constexpr size_t kColumns = 80;

/// "name   text", the text wrapped within the page and hanging under itself.
std::string row(const std::string& name, const std::string& text, size_t indent) {
  std::string out = "  " + name;
  size_t column = out.size();
  const auto start_text = [&](size_t from) {
    out.append(from < indent ? indent - from : 0, ' ');
    column = indent;
  };
  if (column + 1 > indent) {
    out += "\n";
    column = 0;
  }
  start_text(column);
  std::istringstream words(text);
  bool first = true;
  for (std::string word; words >> word; first = false) {
    if (!first && column + 1 + word.size() > kColumns) {
      out += "\n";
      start_text(0);
    } else if (!first) {
      out += " ";
      ++column;
    }
    out += word;
    column += word.size();
  }
  return out + "\n";
}

/// CLI11's pages with wrapped texts, short titles and no blank lines at the ends.
class Pages final : public CLI::Formatter {
 public:
  explicit Pages(size_t indent) { column_width(indent); }

  std::string make_usage(const CLI::App* app, std::string) const override {
    return "Usage: " + app->get_display_name() + "\n";
  }
  std::string make_option(const CLI::Option* option, bool positional) const override {
    const std::string value = option->get_type_name();
    const std::string name = make_option_name(option, positional);
    return row(value.empty() ? name : name + " " + value, option->get_description(), get_column_width());
  }
  std::string make_option_name(const CLI::Option* option, bool) const override {
    std::string names;
    for (const auto& name : option->get_snames()) names += "-" + name + ", ";
    if (names.empty()) names = "    ";
    const auto& all = option->get_lnames();
    return names + (all.empty() ? "" : "--" + all.back());
  }
  std::string make_subcommand(const CLI::App* sub) const override {
    return row(sub->get_name(), sub->get_description(), get_column_width());
  }
};

std::string trimmed(std::string page) {
  while (page.size() > 1 && page[page.size() - 2] == '\n') page.pop_back();
  for (size_t at; (at = page.find("\n\n\n")) != std::string::npos;) page.erase(at, 1);
  return page;
}

}  // namespace

std::string top_help(const std::vector<Command>& commands) {
  CLI::App app("keyflow makes pictures and videos from a prompt and keyframes.", "keyflow COMMAND [options]");
  app.formatter(std::make_shared<Pages>(16));
  app.set_help_flag("");
  for (const auto& command : commands) {
    app.add_subcommand(command.name, command.summary)->group("Commands");
  }
  app.footer("`keyflow COMMAND --help` explains a command, `keyflow --version` the build.");
  return trimmed(app.help());
}

std::string command_help(const Command& command) {
  std::string usage = "keyflow " + command.name;
  if (!command.operands.empty()) usage += " " + command.operands;
  CLI::App app(command.summary, usage + " [options]");
  app.formatter(std::make_shared<Pages>(28));
  app.set_help_flag("");
  for (const auto& group : command.groups) {
    for (const auto& option : group.options) {
      if (option.hidden) continue;
      app.add_option(
             option.names, [](const CLI::results_t&) { return true; }, option.help)
          ->type_name(option.value)
          ->group(group.title);
    }
  }
  if (!command.example.empty()) app.footer("Example: " + command.example);
  return trimmed(app.help());
}

std::string version_text() { return "keyflow " KEYFLOW_VERSION ", libtorch " KEYFLOW_TORCH_VERSION "\n"; }

}  // namespace keyflow::apps
