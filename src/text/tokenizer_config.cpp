#include "text/tokenizer_config.h"

#include <charconv>
#include <nlohmann/json.hpp>

#include "core/json.h"

namespace keyflow::text {
namespace {

using nlohmann::json;

/// A token is its text, or an object with the text and flags.
std::string read_pad(const json& config, const JsonPlace& place) {
  const auto pad = config.find("pad_token");
  if (pad == config.end() || !pad->is_object()) return string_member(config, "pad_token", place, "");
  return string_member(*pad, "content", place / "pad_token");
}

/// The object of a file, which may be absent.
json read_object(const std::filesystem::path& path, const JsonPlace& place) {
  if (!std::filesystem::exists(path)) return json::object();
  json object = read_json(path);
  require_object(object, place);
  return object;
}

}  // namespace

TokenizerConfig read_tokenizer_config(const std::filesystem::path& folder) {
  const auto path = folder / "tokenizer_config.json", older = folder / "special_tokens_map.json";
  const JsonPlace place{printable(path.string(), 400), ""};
  TokenizerConfig config;
  const json object = read_object(path, place);
  config.pad_token = read_pad(object, place);
  if (!object.contains("added_tokens_decoder")) {
    const JsonPlace older_place{printable(older.string(), 400), ""};
    const std::string pad = read_pad(read_object(older, older_place), older_place);
    if (!pad.empty()) config.pad_token = pad;
  }
  if (object.contains("added_tokens_decoder")) {
    const JsonPlace added = place / "added_tokens_decoder";
    for (const auto& [key, value] : object_member(object, "added_tokens_decoder", place).items()) {
      uint32_t id = 0;
      const auto parsed = std::from_chars(key.data(), key.data() + key.size(), id);
      const bool whole = parsed.ec == std::errc() && parsed.ptr == key.data() + key.size() && id <= 0x7FFFFFFE;
      require(whole, ErrorKind::config, added.text(), ": expected ids as keys, found \"", printable(key), "\"");
      config.added.push_back(read_added_token(value, id, added / key));
    }
  } else if (object.contains("extra_ids")) {
    constexpr int64_t kMostSentinels = 10'000;
    config.extra_ids = id_member(object, "extra_ids", place);
    require(config.extra_ids <= kMostSentinels, ErrorKind::config, place.text(), ": extra_ids: expected at most ",
            kMostSentinels, ", found ", config.extra_ids);
  }
  return config;
}

}  // namespace keyflow::text
