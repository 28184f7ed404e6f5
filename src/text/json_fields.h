#pragma once
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

// Members of a tokenizer's JSON, checked: each throws Error::config "file: where: expected ..., found ...".
namespace keyflow::text {

/// A place in a JSON file, for messages: the file and the path of keys so far.
struct JsonPlace {
  std::string file;
  std::string path;
  JsonPlace operator/(const std::string& key) const { return {file, path.empty() ? key : path + "." + key}; }
  std::string text() const { return path.empty() ? file : file + ": " + path; }
};

const nlohmann::json& object_member(const nlohmann::json& object, const char* key, const JsonPlace& place);
const nlohmann::json& array_member(const nlohmann::json& object, const char* key, const JsonPlace& place);
std::string string_member(const nlohmann::json& object, const char* key, const JsonPlace& place);
/// An id: 0 to 2^31 - 2.
int64_t id_member(const nlohmann::json& object, const char* key, const JsonPlace& place);
/// An absent or null member gives the fallback.
std::string string_member(const nlohmann::json& object, const char* key, const JsonPlace& place, const char* fallback);
bool bool_member(const nlohmann::json& object, const char* key, const JsonPlace& place, bool fallback);

/// The value itself as an id.
int64_t id_value(const nlohmann::json& value, const JsonPlace& place);
/// Throws unless the value is an object.
void require_object(const nlohmann::json& value, const JsonPlace& place);

}  // namespace keyflow::text
