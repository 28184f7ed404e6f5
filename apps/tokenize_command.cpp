#include <nlohmann/json.hpp>

#include "apps/commands.h"
#include "apps/console.h"
#include "apps/numbers.h"
#include "core/data_folder.h"
#include "core/error.h"
#include "text/tokenizer.h"

namespace keyflow::apps {
namespace {

constexpr int64_t kClipLimit = 77, kTextLimit = 512;

int run(const Arguments& arguments) {
  const std::string& model = arguments.operands()[0];
  std::string text = arguments.operands()[1];
  if (text == "-") text = read_standard_input(text::kMostPromptBytes);
  const auto tokenizer =
      text::open_tokenizer(model == "mini" ? data_folder() / "weights/mini" : std::filesystem::path(model));
  const int64_t usual = tokenizer->kind() == "clip bpe" ? kClipLimit : kTextLimit;
  const int64_t limit = arguments.has("limit") ? whole_number("--limit", arguments.text("limit"), 0, 1'000'000) : usual;
  if (!arguments.has("raw")) text = text::clean_prompt(text);
  const text::Tokens tokens = tokenizer->encode(text, limit);
  if (arguments.has("json")) {
    print(nlohmann::ordered_json{{"tokenizer", tokenizer->kind()},
                                 {"text", text},
                                 {"ids", tokens.ids},
                                 {"pieces", tokens.pieces},
                                 {"lost", tokens.lost}}
              .dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) +
          "\n");
    return 0;
  }
  std::string out;
  for (size_t i = 0; i < tokens.ids.size(); ++i) {
    std::string id = std::to_string(tokens.ids[i]);
    id.insert(0, id.size() < 8 ? 8 - id.size() : 0, ' ');
    out += id + "  " + printable(tokens.pieces[i], 400) + "\n";
  }
  out += c10::str(tokens.ids.size(), " tokens", limit > 0 ? c10::str(" of at most ", limit) : "", "\n");
  if (!tokens.lost.empty()) out += "cut off: " + printable(tokens.lost, 2000) + "\n";
  print(out);
  return 0;
}

}  // namespace

Command tokenize_command() {
  Command command;
  command.name = "tokenize";
  command.summary = "Print the tokens of a text, and what the limit cuts off";
  command.operands = "MODEL|TOKENIZER TEXT";
  command.least_operands = command.most_operands = 2;
  command.groups = {{"Options",
                     {{"--json", "", "Print JSON: ids, pieces, what is lost"},
                      {"--limit", "N", "Most tokens, 0 for no limit [512; CLIP 77]"},
                      {"--raw", "", "Leave out Wan's cleaning of the text"}}}};
  command.example = "keyflow tokenize models/Wan2.1-T2V-1.3B \"two cats\" --json";
  command.run = run;
  return command;
}

}  // namespace keyflow::apps
