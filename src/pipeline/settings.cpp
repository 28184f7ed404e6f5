#include "pipeline/settings.h"

#include <charconv>
#include <concepts>
#include <nlohmann/json.hpp>

#include "core/error.h"

namespace keyflow::pipeline {
namespace {

using nlohmann::json;

std::string text_of(double value) {
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  return {buffer, end};
}

std::string text_of(const Range& range) { return text_of(range.least) + " to " + text_of(range.most); }

template <class Number>
std::string expected(const Range& range) {
  if (std::same_as<Number, uint64_t>) return "a whole number from 0 to 18446744073709551615";
  return (std::integral<Number> ? "a whole number from " : "a number from ") + text_of(range);
}

std::string expected(const Words& words) {
  std::string list = "one of";
  for (const auto& word : words) list += (list.size() > 6 ? ", " : " ") + word;
  return list;
}

/// Where a value comes from and which error a wrong one is.
struct Place {
  ErrorKind kind;
  std::string where;  ///< "--steps" or "job.json: \"steps\""

  [[noreturn]] void refuse(const std::string& wanted, std::string_view found) const {
    fail(kind, where, ": expected ", wanted, ", found \"", printable(found), "\"");
  }
};

template <class Number>
void set_number(Number& member, const Range& range, Number value, const Place& place, std::string_view shown) {
  if constexpr (!std::same_as<Number, uint64_t>) {
    const auto number = static_cast<double>(value);
    if (!(number >= range.least && number <= range.most)) place.refuse(expected<Number>(range), shown);
  }
  member = value;
}

void set_word(std::string& member, const Words& words, const std::string& value, const Place& place) {
  if (!words.empty() && std::find(words.begin(), words.end(), value) == words.end()) {
    const std::string near = nearest(value, words);
    place.refuse(expected(words) + (near.empty() ? "" : " (nearest: " + near + ")"), value);
  }
  member = value;
}

struct FromText {
  std::string_view text;
  Place place;

  template <class Number>
  requires std::integral<Number> || std::floating_point<Number>
  void operator()(Number& member, const Range& range) const {
    Number value{};
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (code != std::errc() || end != text.data() + text.size()) place.refuse(expected<Number>(range), text);
    set_number(member, range, value, place, text);
  }
  void operator()(bool& member, const Words&) const {
    if (text != "true" && text != "false") place.refuse("true or false", text);
    member = text == "true";
  }
  void operator()(std::string& member, const Words& words) const { set_word(member, words, std::string(text), place); }
  void operator()(std::vector<std::string>& member, const Words& words) const {
    FromText{text, place}(member.emplace_back(), words);
  }
  /// "7,8,9", in brackets or not.
  template <class Number>
  requires std::is_arithmetic_v<Number>
  void operator()(std::vector<Number>& member, const Range& range) const {
    std::string_view rest = text;
    if (rest.starts_with('[') && rest.ends_with(']')) rest = rest.substr(1, rest.size() - 2);
    member.clear();
    while (!rest.empty()) {
      const std::string_view item = rest.substr(0, rest.find(','));
      rest.remove_prefix(std::min(rest.size(), item.size() + 1));
      Number value{};
      FromText{item, place}(value, range);
      member.push_back(value);
    }
  }
  /// "PATH", "PATH:0.8", or "PATH:0.8:0.5" with a weight of its own for the text encoders.
  void operator()(std::vector<LoraSetting>& member, const Words&) const {
    LoraSetting lora;
    std::string_view path = text;
    std::vector<double> weights;
    while (weights.size() < 2) {
      const auto colon = path.rfind(':');
      double weight = 0;
      const std::string_view number = colon == path.npos ? std::string_view() : path.substr(colon + 1);
      const auto [end, code] = std::from_chars(number.data(), number.data() + number.size(), weight);
      if (number.empty() || code != std::errc() || end != number.data() + number.size()) break;
      weights.insert(weights.begin(), weight);
      path = path.substr(0, colon);
    }
    if (path.empty()) place.refuse("FILE, FILE:WEIGHT or FILE:WEIGHT:TEXT_WEIGHT", text);
    lora.path = std::filesystem::path(path);
    if (!weights.empty()) lora.weight = lora.text_weight = weights[0];
    if (weights.size() > 1) lora.text_weight = weights[1];
    member.push_back(std::move(lora));
  }
  void operator()(std::vector<Keyframe>& member, const Words&) const {
    const auto equals = text.find('=');
    Keyframe keyframe;
    const std::string_view number = text.substr(0, equals);
    const auto [end, code] = std::from_chars(number.data(), number.data() + number.size(), keyframe.frame);
    if (equals == std::string_view::npos || equals + 1 == text.size() || code != std::errc() ||
        end != number.data() + number.size() || keyframe.frame < -1) {
      place.refuse("FRAME=PICTURE with a frame from 0, or -1 for the last", text);
    }
    keyframe.picture = std::filesystem::path(text.substr(equals + 1));
    member.push_back(std::move(keyframe));
  }
};

struct FromJson {
  const json& value;
  Place place;

  void operator()(uint64_t& member, const Range& range) const {
    if (!value.is_number_unsigned()) place.refuse(expected<uint64_t>(range), value.dump());
    member = value.get<uint64_t>();
  }
  void operator()(int64_t& member, const Range& range) const {
    const bool fits = value.is_number_integer() && (!value.is_number_unsigned() || value.get<uint64_t>() <= INT64_MAX);
    if (!fits) place.refuse(expected<int64_t>(range), value.dump());
    set_number(member, range, value.get<int64_t>(), place, value.dump());
  }
  void operator()(double& member, const Range& range) const {
    if (!value.is_number()) place.refuse(expected<double>(range), value.dump());
    set_number(member, range, value.get<double>(), place, value.dump());
  }
  void operator()(bool& member, const Words&) const {
    if (!value.is_boolean()) place.refuse("true or false", value.dump());
    member = value.get<bool>();
  }
  void operator()(std::string& member, const Words& words) const {
    if (!value.is_string()) place.refuse("a text", value.dump());
    set_word(member, words, value.get<std::string>(), place);
  }
  void operator()(LoraSetting& member, const Words&) const {
    static const char* form = "{\"path\": text, \"weight\": number, \"text_weight\": number}";
    if (!value.is_object() || !value.contains("path")) place.refuse(form, value.dump());
    member = {};
    for (const auto& [key, part] : value.items()) {
      if (key == "path" && part.is_string() && !part.get<std::string>().empty()) {
        member.path = std::filesystem::path(part.get<std::string>());
      } else if (key == "weight" && part.is_number()) {
        member.weight = part.get<double>();
      } else if (key == "text_weight" && part.is_number()) {
        member.text_weight = part.get<double>();
      } else {
        place.refuse(form, value.dump());
      }
    }
    if (!value.contains("text_weight")) member.text_weight = member.weight;
  }
  template <class Element, class Limits>
  void operator()(std::vector<Element>& member, const Limits& limits) const {
    if (!value.is_array()) place.refuse("an array", value.dump());
    member.clear();
    for (const auto& entry : value) FromJson{entry, place}(member.emplace_back(), limits);
  }
  void operator()(std::vector<Keyframe>& member, const Words&) const {
    if (!value.is_array()) place.refuse("an array of keyframes", value.dump());
    member.clear();
    for (const auto& entry : value) member.push_back(keyframe(entry));
  }

 private:
  Keyframe keyframe(const json& entry) const {
    static const char* form = "{\"frame\": number from 0 or -1, \"picture\": path}";
    if (!entry.is_object() || !entry.contains("frame") || !entry.contains("picture")) place.refuse(form, entry.dump());
    Keyframe result;
    for (const auto& [key, part] : entry.items()) {
      if (key == "frame" && part.is_number_integer() && part.get<int64_t>() >= -1) {
        result.frame = part.get<int64_t>();
      } else if (key == "picture" && part.is_string() && !part.get<std::string>().empty()) {
        result.picture = std::filesystem::path(part.get<std::string>());
      } else {
        place.refuse(form, entry.dump());
      }
    }
    return result;
  }
};

json as_json(const std::vector<Keyframe>& keyframes) {
  json list = json::array();
  for (const auto& keyframe : keyframes) {
    list.push_back({{"frame", keyframe.frame}, {"picture", keyframe.picture.string()}});
  }
  return list;
}
json as_json(const std::vector<LoraSetting>& loras) {
  json list = json::array();
  for (const auto& lora : loras) {
    list.push_back({{"path", lora.path.string()}, {"weight", lora.weight}, {"text_weight", lora.text_weight}});
  }
  return list;
}
template <class Value>
json as_json(const Value& value) {
  return value;
}

std::string as_text(const std::string& value) { return value; }
std::string as_text(bool value) { return value ? "true" : "false"; }
std::string as_text(double value) { return text_of(value); }
std::string as_text(std::integral auto value) { return std::to_string(value); }
std::string as_text(const LoraSetting& lora) {
  return lora.path.string() + ":" + text_of(lora.weight) +
         (lora.text_weight == lora.weight ? "" : ":" + text_of(lora.text_weight));
}
template <class Element>
std::string as_text(const std::vector<Element>& list) {
  std::string text;
  for (const auto& element : list) text += (text.empty() ? "" : ",") + as_text(element);
  return text;
}
std::string as_text(const std::vector<Keyframe>& keyframes) {
  std::string text;
  for (const auto& keyframe : keyframes) {
    text += (text.empty() ? "" : " ") + std::to_string(keyframe.frame) + "=" + keyframe.picture.string();
  }
  return text;
}

Origin origin_of(const RenderSettings& settings, const std::string& field) {
  const auto found = settings.origins.find(field);
  return found == settings.origins.end() ? Origin::builtin : found->second;
}

}  // namespace

std::string_view name_of(Origin origin) {
  switch (origin) {
    case Origin::builtin:
      return "default";
    case Origin::model:
      return "model preset";
    case Origin::file:
      return "settings file";
    case Origin::metadata:
      return "metadata";
    case Origin::command_line:
      return "command line";
  }
  return "";
}

std::vector<std::string> setting_names() {
  std::vector<std::string> names;
  const RenderSettings settings;
  RenderSettings::visit(settings, [&](const char* name, auto&&...) { names.emplace_back(name); });
  return names;
}

std::vector<SettingLine> describe(const RenderSettings& settings) {
  std::vector<SettingLine> lines;
  RenderSettings::visit(settings, [&](const char* name, const auto& member, auto&&...) {
    lines.push_back({name, as_text(member), origin_of(settings, name)});
  });
  return lines;
}

void assign(RenderSettings& settings, const std::string& field, std::string_view text, Origin origin,
            const std::string& shown_as) {
  bool known = false;
  RenderSettings::visit(settings, [&](const char* name, auto& member, const auto& limits, const char*) {
    if (field != name) return;
    known = true;
    auto value = member;
    const Origin before = origin_of(settings, field);
    // A list grows word by word, once a stronger origin has emptied it.
    if constexpr (std::same_as<decltype(value), std::vector<Keyframe>> ||
                  std::same_as<decltype(value), std::vector<std::string>> ||
                  std::same_as<decltype(value), std::vector<LoraSetting>>) {
      if (before < origin) value.clear();
    }
    FromText{text, {ErrorKind::usage, shown_as}}(value, limits);
    if (before > origin) return;
    member = std::move(value);
    settings.origins[field] = origin;
  });
  require(known, ErrorKind::internal, "there is no setting ", field);
}

void apply_json(RenderSettings& settings, const json& object, Origin origin, const std::string& where) {
  require(object.is_object(), ErrorKind::config, where, ": expected an object of settings, found ", object.type_name());
  const std::vector<std::string> names = setting_names();
  for (const auto& [key, value] : object.items()) {
    if (std::find(names.begin(), names.end(), key) != names.end()) continue;
    const std::string near = nearest(key, names);
    fail(ErrorKind::config, where, ": unknown setting \"", printable(key), "\"",
         near.empty() ? "" : "; nearest: " + near);
  }
  RenderSettings::visit(settings, [&](const char* name, auto& member, const auto& limits, const char*) {
    const auto found = object.find(name);
    if (found == object.end()) return;
    auto value = member;
    FromJson{*found, {ErrorKind::config, where + ": \"" + name + "\""}}(value, limits);
    if (origin_of(settings, name) > origin) return;
    member = std::move(value);
    settings.origins[name] = origin;
  });
}

json to_json(const RenderSettings& settings) {
  json object = json::object();
  RenderSettings::visit(settings, [&](const char* name, const auto& member, const auto& limits, const char*) {
    if constexpr (std::is_arithmetic_v<std::decay_t<decltype(member)>>) {
      if constexpr (std::same_as<std::decay_t<decltype(limits)>, Range>) {
        if (static_cast<double>(member) < limits.least) return;
      }
    }
    object[name] = as_json(member);
  });
  return object;
}

}  // namespace keyflow::pipeline
