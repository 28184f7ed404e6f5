#include <algorithm>
#include <nlohmann/json.hpp>

#include "apps/commands.h"
#include "apps/console.h"
#include "apps/numbers.h"
#include "core/data_folder.h"
#include "core/error.h"
#include "text/prompt_chunks.h"
#include "text/tokenizer.h"
#include "weights/textual_inversion.h"

namespace keyflow::apps {
namespace {

using nlohmann::ordered_json;

constexpr int64_t kClipLimit = 77, kTextLimit = 512;

bool is_clip(const text::Tokenizer& tokenizer) { return tokenizer.kind() == "clip bpe"; }

struct Vocabulary {
  std::shared_ptr<text::Tokenizer> tokenizer;
  std::vector<text::LearnedWord> words;
};

/// The tokenizer of the operand, with the words of --embedding.
Vocabulary open(const Arguments& arguments) {
  const std::string& model = arguments.operands()[0];
  const auto tokenizer =
      text::open_tokenizer(model == "mini" ? data_folder() / "weights/mini" : std::filesystem::path(model));
  std::vector<text::LearnedWord> words;
  int64_t id = tokenizer->vocabulary();
  for (const auto& file : arguments.list("embedding")) {
    const auto inversion = weights::read_textual_inversion(file);
    for (const auto& word : inversion.words()) words.push_back({word, id, inversion.count()});
    id += inversion.count();
  }
  return {words.empty() ? tokenizer : tokenizer->with_words(words), words};
}

std::string line(int64_t id, const std::string& between, const std::string& piece) {
  std::string text = std::to_string(id);
  text.insert(0, text.size() < 8 ? 8 - text.size() : 0, ' ');
  return text + between + printable(piece, 400) + "\n";
}

std::string lost_line(const std::string& lost) {
  return lost.empty() ? "" : "cut off: " + printable(lost, 2000) + "\n";
}

std::string dump(const ordered_json& json) {
  return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

std::string plain_report(const Arguments& arguments, const text::Tokenizer& tokenizer, const std::string& prompt,
                         int64_t limit) {
  const text::Tokens tokens = tokenizer.encode(prompt, limit);
  if (arguments.has("json")) {
    return dump({{"tokenizer", tokenizer.kind()},
                 {"text", prompt},
                 {"ids", tokens.ids},
                 {"pieces", tokens.pieces},
                 {"lost", tokens.lost}});
  }
  std::string out;
  for (size_t i = 0; i < tokens.ids.size(); ++i) out += line(tokens.ids[i], "  ", tokens.pieces[i]);
  out += c10::str(tokens.ids.size(), " tokens", limit > 0 ? c10::str(" of at most ", limit) : "", "\n");
  return out + lost_line(tokens.lost);
}

std::string weighted_json(const text::Tokenizer& tokenizer, const std::string& text, const text::Prompt& prompt,
                          const text::PromptTokens& tokens) {
  ordered_json chunks = ordered_json::array(), loras = ordered_json::array();
  for (const auto& row : tokens.rows) {
    chunks.push_back({{"ids", row.ids}, {"weights", row.weights}, {"pieces", row.pieces}, {"used", row.used}});
  }
  for (const auto& lora : prompt.loras) {
    loras.push_back({{"name", lora.name},
                     {"model_weight", lora.model_weight},
                     {"text_weight", lora.text_weight},
                     {"high_noise", lora.high_noise}});
  }
  return dump(
      {{"tokenizer", tokenizer.kind()}, {"text", text}, {"chunks", chunks}, {"loras", loras}, {"lost", tokens.lost}});
}

std::string weighted_report(const text::Prompt& prompt, const text::PromptTokens& tokens) {
  std::string out;
  for (size_t k = 0; k < tokens.rows.size(); ++k) {
    const text::TokenRow& row = tokens.rows[k];
    if (tokens.rows.size() > 1) out += c10::str("chunk ", k + 1, " of ", tokens.rows.size(), "\n");
    for (size_t i = 0; i < row.used; ++i) {
      std::string weight = row.weights[i] == 1 ? "" : c10::str("x", row.weights[i]);
      weight.resize(std::max<size_t>(weight.size(), 8), ' ');
      out += line(row.ids[i], "  " + weight + "  ", row.pieces[i]);
    }
    out += c10::str(row.used, " tokens of ", row.ids.size(), "\n");
  }
  for (const auto& lora : prompt.loras) {
    out += c10::str("lora ", printable(lora.name), ": weight ", lora.model_weight, ", text encoders ", lora.text_weight,
                    lora.high_noise ? ", high noise only" : "", "\n");
  }
  return out + lost_line(tokens.lost);
}

int run(const Arguments& arguments) {
  std::string text = arguments.operands()[1];
  if (text == "-") text = read_standard_input(text::kMostPromptBytes);
  const auto [tokenizer, words] = open(arguments);
  const int64_t usual = is_clip(*tokenizer) ? kClipLimit : kTextLimit;
  const int64_t limit = arguments.has("limit") ? whole_number("--limit", arguments.text("limit"), 0, 1'000'000) : usual;
  if (!arguments.has("weights")) {
    if (!arguments.has("raw")) text = text::clean_prompt(text);
    print(plain_report(arguments, *tokenizer, text, limit));
    return 0;
  }
  const text::Prompt prompt = text::parse_prompt(text);
  text::require_known_embeddings(prompt, words);
  const bool chunks = is_clip(*tokenizer) && !arguments.has("limit");
  const text::PromptTokens tokens =
      chunks ? chunked_tokens(*tokenizer, prompt) : fixed_tokens(*tokenizer, prompt, static_cast<size_t>(limit));
  print(arguments.has("json") ? weighted_json(*tokenizer, text, prompt, tokens) : weighted_report(prompt, tokens));
  return 0;
}

}  // namespace

Command tokenize_command() {
  Command command;
  command.name = "tokenize";
  command.summary = "Print the tokens of a text, and what the limit cuts off";
  command.operands = "MODEL|TOKENIZER TEXT";
  command.least_operands = command.most_operands = 2;
  command.groups = {
      {"Options",
       {{"--json", "", "Print JSON: ids, pieces, what is lost"},
        {"--limit", "N", "Most tokens, 0 for no limit [512; CLIP 77]"},
        {"--raw", "", "Leave out Wan's cleaning of the text"},
        {"--weights", "",
         "Read (word:1.2), [word], BREAK and <lora:NAME:0.8>, uncleaned; CLIP in chunks of 75 unless --limit is given"},
        {"--embedding", "FILE", "Textual inversion whose word the text may hold (repeats; CLIP)", {}, true}}}};
  command.example = "keyflow tokenize models/Wan2.1-T2V-1.3B \"two cats\" --json";
  command.run = run;
  return command;
}

}  // namespace keyflow::apps
