#include "text/token_frame.h"

#include <limits>
#include <nlohmann/json.hpp>

#include "core/error.h"

namespace keyflow::text {
namespace {

using nlohmann::json;

TokenFrame read_template(const json& object, const JsonPlace& place) {
  const json& special = object_member(object, "special_tokens", place);
  TokenFrame frame;
  bool behind = false;
  for (const auto& item : array_member(object, "single", place)) {
    const JsonPlace here = place / "single";
    require_object(item, here);
    if (item.contains("Sequence")) {
      behind = true;
      continue;
    }
    const std::string name = string_member(object_member(item, "SpecialToken", here), "id", here);
    const json& token = object_member(special, name.c_str(), place / "special_tokens");
    for (const auto& id : array_member(token, "ids", place / "special_tokens")) {
      (behind ? frame.after : frame.before).push_back({id_value(id, place / "special_tokens"), name, 0});
    }
  }
  require(behind, ErrorKind::config, (place / "single").text(), ": has no Sequence");
  return frame;
}

Token read_pair(const json& object, const char* key, const JsonPlace& place) {
  const json& pair = array_member(object, key, place);
  require(pair.size() == 2 && pair[0].is_string(), ErrorKind::config, (place / key).text(), ": expected [token, id]");
  return {id_value(pair[1], place / key), pair[0].get<std::string>(), 0};
}

}  // namespace

size_t TokenFrame::enough(int64_t limit) const {
  if (limit == 0) return std::numeric_limits<size_t>::max();
  const auto frame = static_cast<int64_t>(before.size() + after.size());
  require(limit >= frame, ErrorKind::usage, "tokens: limit ", limit, "; expected 0 (none) or at least ", frame,
          ", the begin and end tokens");
  return static_cast<size_t>(limit - frame) + 1;
}

Tokens TokenFrame::apply(std::string_view text, const std::vector<Token>& body, int64_t limit) const {
  const size_t kept = std::min(body.size(), enough(limit) - 1);
  Tokens tokens;
  const auto add = [&](const Token& token) {
    tokens.ids.push_back(token.id);
    tokens.pieces.push_back(token.piece);
  };
  for (const auto& token : before) add(token);
  for (size_t i = 0; i < kept; ++i) add(body[i]);
  for (const auto& token : after) add(token);
  if (kept < body.size()) {
    const std::string_view rest = text.substr(body[kept].at);
    tokens.lost = rest.substr(std::min(rest.find_first_not_of(' '), rest.size()));
  }
  return tokens;
}

TokenFrame read_token_frame(const json& object, const JsonPlace& place) {
  if (object.is_null()) return {};
  const std::string type = string_member(object, "type", place);
  if (type == "TemplateProcessing") return read_template(object, place);
  require(type == "RobertaProcessing" || type == "BertProcessing", ErrorKind::unsupported, place.text(),
          ": post-processor \"", printable(type),
          "\"; supported are TemplateProcessing, RobertaProcessing and BertProcessing");
  return {{read_pair(object, "cls", place)}, {read_pair(object, "sep", place)}};
}

}  // namespace keyflow::text
