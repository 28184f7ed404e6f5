#include "text/prompt_marks.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/error.h"
#include "text/unicode.h"

namespace keyflow::text {
namespace {

constexpr double kLargestLoraWeight = 1000;

std::string trimmed(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return std::string(text);
}

/// Characters [begin, end) of the prompt, for messages.
std::string quote(const Glyphs& text, size_t begin, size_t end) {
  return "\"" +
         printable(encode_utf8(characters_of(
                       Glyphs(text.begin() + static_cast<int64_t>(begin), text.begin() + static_cast<int64_t>(end)))),
                   80) +
         "\"";
}

double lora_weight(const std::string& text, const std::string& where) {
  double weight = 0;
  const size_t sign = text.starts_with('+') ? 1 : 0;
  const auto parsed = std::from_chars(text.data() + sign, text.data() + text.size(), weight);
  require(parsed.ec == std::errc() && parsed.ptr == text.data() + text.size() && std::abs(weight) <= kLargestLoraWeight,
          ErrorKind::usage, where, ": expected a weight from ", -kLargestLoraWeight, " to ", kLargestLoraWeight,
          ", found \"", printable(text), "\"; hint: <lora:NAME:0.8>");
  return weight;
}

/// NAME, then weights by position (text encoders, model) or by name.
PromptLora read_lora(std::string_view arguments, const std::string& where) {
  std::vector<std::string> items;
  for (size_t begin = 0; begin <= arguments.size();) {
    const size_t end = std::min(arguments.find(':', begin), arguments.size());
    items.push_back(trimmed(arguments.substr(begin, end - begin)));
    begin = end + 1;
  }
  PromptLora lora;
  lora.name = items.empty() ? "" : items.front();
  constexpr std::string_view kHighNoise = "|high_noise|";
  if (lora.name.starts_with(kHighNoise)) {
    lora.high_noise = true;
    lora.name.erase(0, kHighNoise.size());
  }
  require(!lora.name.empty(), ErrorKind::usage, where, ": has no name; hint: <lora:NAME:0.8>");
  std::vector<double> weights;
  bool named = false;
  for (size_t i = 1; i < items.size(); ++i) {
    const size_t equals = items[i].find('=');
    if (equals == std::string::npos) {
      require(!named && weights.size() < 2, ErrorKind::usage, where, ": expected one or two weights, found \"",
              printable(items[i]), "\" behind them");
      weights.push_back(lora_weight(items[i], where));
      lora.model_weight = weights.back();
      if (weights.size() == 1) lora.text_weight = weights.back();
      continue;
    }
    named = true;
    const std::string key = items[i].substr(0, equals);
    require(key == "te" || key == "unet", ErrorKind::usage, where, ": expected te= or unet=, found \"",
            printable(items[i]), "\"");
    const double weight = lora_weight(items[i].substr(equals + 1), where);
    (key == "te" ? lora.text_weight : lora.model_weight) = weight;
    // The model follows the text encoders unless it has its own weight.
    if (key == "te" && weights.size() < 2 && arguments.find("unet=") == arguments.npos) lora.model_weight = weight;
  }
  return lora;
}

bool is_schedule_number(std::u32string_view text) {
  while (!text.empty() && is_python_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_python_space(text.back())) text.remove_suffix(1);
  if (!text.empty() && (text.front() == '+' || text.front() == '-')) text.remove_prefix(1);
  if (text.empty() || !((text.front() >= '0' && text.front() <= '9') || text.front() == '.')) return false;
  const std::string digits = encode_utf8(text);
  double value = 0;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return parsed.ptr == digits.data() + digits.size();
}

}  // namespace

Glyphs take_loras(const Glyphs& text, std::string_view prompt, std::vector<PromptLora>& loras) {
  Glyphs rest;
  const auto byte_at = [&](size_t i) { return i < text.size() ? text[i].at : prompt.size(); };
  for (size_t i = 0; i < text.size(); ++i) {
    size_t colon = i + 1;
    std::string word;
    if (text[i].c == '<') {
      while (colon < text.size() && text[colon].c < 0x80 && is_letter(text[colon].c)) {
        word.push_back(static_cast<char>(text[colon++].c | 0x20));
      }
    }
    const bool lora = word == "lora" || word == "lyco";
    if (!(lora || word == "hypernet") || colon >= text.size() || text[colon].c != ':') {
      rest.push_back(text[i]);
      continue;
    }
    size_t end = colon + 1;
    while (end < text.size() && text[end].c != '>') ++end;
    const std::string where =
        c10::str("prompt: byte ", text[i].at, ": ", quote(text, i, std::min(end + 1, text.size())));
    require(end < text.size(), ErrorKind::usage, where, ": expected \">\" at its end");
    require(lora, ErrorKind::unsupported, where, ": hypernetworks are not supported");
    loras.push_back(read_lora(prompt.substr(byte_at(colon + 1), byte_at(end) - byte_at(colon + 1)), where));
    i = end;
  }
  return rest;
}

void refuse_editing(const Glyphs& text) {
  struct Open {
    char32_t bracket;
    size_t at;
    bool bar = false;
    size_t colon = 0;  ///< the last one directly inside, 0 for none
  };
  std::vector<Open> open;
  const std::u32string characters = characters_of(text);
  for (size_t i = 0; i < text.size(); ++i) {
    const char32_t c = characters[i];
    if (c == '\\') {
      ++i;
    } else if (c == '(' || c == '[') {
      open.push_back({c, i});
    } else if (!open.empty() && c == '|') {
      open.back().bar = true;
    } else if (!open.empty() && c == ':') {
      open.back().colon = i;
    } else if (c == ')' || c == ']') {
      const char32_t partner = c == ')' ? '(' : '[';
      const auto found = std::find_if(open.rbegin(), open.rend(), [&](const Open& o) { return o.bracket == partner; });
      if (found == open.rend()) continue;
      // Brackets that cross are plain text there too.
      const bool nested = found == open.rbegin();
      const Open inner = *found;
      open.erase(found.base() - 1, open.end());
      if (!nested || c == ')') continue;
      const bool numbered =
          inner.colon > 0 &&
          is_schedule_number(std::u32string_view(characters).substr(inner.colon + 1, i - inner.colon - 1));
      if (!inner.bar && !numbered) continue;
      fail(ErrorKind::usage, "prompt: byte ", text[inner.at].at, ": ", quote(text, inner.at, i + 1),
           " changes the prompt ", inner.bar ? "at every step" : "during sampling",
           ", which is not supported; hint: (word:0.8) is a weight, ",
           inner.bar ? "\\|" : "\\:", " the character itself");
    }
  }
}

}  // namespace keyflow::text
