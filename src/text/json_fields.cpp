#include "text/json_fields.h"

#include <limits>
#include <nlohmann/json.hpp>

#include "core/error.h"

namespace keyflow::text {
namespace {

using nlohmann::json;

[[noreturn]] void fail_type(const JsonPlace& place, const char* expected, const json& found) {
  fail(ErrorKind::config, place.text(), ": expected ", expected, ", found ", printable(found.dump().substr(0, 80), 60));
}

/// nullptr where the member is absent or null.
const json* find(const json& object, const char* key, const JsonPlace& place) {
  require_object(object, place);
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

const json& member(const json& object, const char* key, const JsonPlace& place) {
  const json* found = find(object, key, place);
  require(found, ErrorKind::config, place.text(), ": missing key \"", key, "\"");
  return *found;
}

}  // namespace

void require_object(const json& value, const JsonPlace& place) {
  if (!value.is_object()) fail_type(place, "an object", value);
}

const json& object_member(const json& object, const char* key, const JsonPlace& place) {
  const json& value = member(object, key, place);
  require_object(value, place / key);
  return value;
}

const json& array_member(const json& object, const char* key, const JsonPlace& place) {
  const json& value = member(object, key, place);
  if (!value.is_array()) fail_type(place / key, "an array", value);
  return value;
}

std::string string_member(const json& object, const char* key, const JsonPlace& place) {
  const json& value = member(object, key, place);
  if (!value.is_string()) fail_type(place / key, "a string", value);
  return value.get<std::string>();
}

std::string string_member(const json& object, const char* key, const JsonPlace& place, const char* fallback) {
  return find(object, key, place) ? string_member(object, key, place) : fallback;
}

bool bool_member(const json& object, const char* key, const JsonPlace& place, bool fallback) {
  const json* value = find(object, key, place);
  if (!value) return fallback;
  if (!value->is_boolean()) fail_type(place / key, "true or false", *value);
  return value->get<bool>();
}

int64_t id_value(const json& value, const JsonPlace& place) {
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max() - 1;
  const bool fits = value.is_number_unsigned() && value.get<uint64_t>() <= kMost;
  if (!fits) fail_type(place, "an id from 0 to 2147483646", value);
  return value.get<int64_t>();
}

int64_t id_member(const json& object, const char* key, const JsonPlace& place) {
  return id_value(member(object, key, place), place / key);
}

}  // namespace keyflow::text
