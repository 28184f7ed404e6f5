#include "core/fields.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/error.h"

namespace keyflow {

using nlohmann::json;

JsonFields::JsonFields(const json& object, std::string where) : object_(object), where_(std::move(where)) {
  require(object.is_object(), ErrorKind::config, where_, ": expected an object, found ", object.type_name());
}

const json* JsonFields::find(const std::string& key) {
  known_.insert(key);
  const auto found = object_.find(key);
  return found == object_.end() ? nullptr : &*found;
}

void JsonFields::wrong(const std::string& key, const std::string& expected, const json& found) {
  problems_.push_back(c10::str(key, ": expected ", expected, ", found ",
                               printable(found.dump(-1, ' ', true, json::error_handler_t::replace))));
}

bool JsonFields::read(const std::string& key, int64_t& value) {
  const json* found = find(key);
  if (!found) return false;
  // An unsigned number past int64 would turn negative.
  const bool fits = found->is_number_integer() &&
                    (!found->is_number_unsigned() || found->get<uint64_t>() <= static_cast<uint64_t>(INT64_MAX));
  if (fits) {
    value = found->get<int64_t>();
  } else {
    wrong(key, "an integer", *found);
  }
  return true;
}

bool JsonFields::read(const std::string& key, double& value) {
  const json* found = find(key);
  if (!found) return false;
  if (found->is_number()) {
    value = found->get<double>();
  } else {
    wrong(key, "a number", *found);
  }
  return true;
}

bool JsonFields::read(const std::string& key, std::string& value) {
  const json* found = find(key);
  if (!found) return false;
  if (found->is_string()) {
    value = found->get<std::string>();
  } else {
    wrong(key, "a string", *found);
  }
  return true;
}

bool JsonFields::read(const std::string& key, bool& value) {
  const json* found = find(key);
  if (!found) return false;
  if (found->is_boolean()) {
    value = found->get<bool>();
  } else {
    wrong(key, "true or false", *found);
  }
  return true;
}

bool JsonFields::read(const std::string& key, std::vector<int64_t>& value) {
  const json* found = find(key);
  if (!found) return false;
  const bool integers = found->is_array() && std::all_of(found->begin(), found->end(), [](const json& item) {
                          return item.is_number_integer() && !(item.is_number_unsigned() && item > INT64_MAX);
                        });
  if (integers) {
    value = found->get<std::vector<int64_t>>();
  } else {
    wrong(key, "a list of integers", *found);
  }
  return true;
}

bool JsonFields::read(const std::string& key, std::vector<std::string>& value) {
  const json* found = find(key);
  if (!found) return false;
  if (found->is_array() &&
      std::all_of(found->begin(), found->end(), [](const json& item) { return item.is_string(); })) {
    value = found->get<std::vector<std::string>>();
  } else {
    wrong(key, "a list of strings", *found);
  }
  return true;
}

bool JsonFields::read_each(const std::string& key, std::vector<int64_t>& value, size_t count) {
  const json* found = find(key);
  if (!found || found->is_array()) return read(key, value);
  int64_t one = 0;
  const size_t before = problems_.size();
  read(key, one);
  if (problems_.size() == before) value.assign(count, one);
  return true;
}

bool JsonFields::read_or_null(const std::string& key, int64_t& value, int64_t null_value) {
  const json* found = find(key);
  if (!found || !found->is_null()) return read(key, value);
  value = null_value;
  return true;
}

bool JsonFields::is_null(const std::string& key) {
  const json* found = find(key);
  return found && found->is_null();
}

void JsonFields::expect(const std::string& key, const json& allowed) {
  const json* found = find(key);
  if (!found || std::find(allowed.begin(), allowed.end(), *found) != allowed.end()) return;
  std::string list;
  for (const auto& value : allowed) list += (list.empty() ? "" : " or ") + value.dump();
  wrong(key, list, *found);
}

void JsonFields::finish() const {
  std::vector<std::string> problems = problems_;
  const std::vector<std::string> known(known_.begin(), known_.end());
  for (const auto& [key, value] : object_.items()) {
    if (known_.count(key)) continue;
    const std::string guess = nearest(key, known);
    problems.push_back("unknown key " + printable(key) + (guess.empty() ? "" : "; hint: did you mean " + guess + "?"));
  }
  if (problems.empty()) return;
  if (problems.size() == 1) fail(ErrorKind::config, where_, ": ", problems[0]);
  throw Error(ErrorKind::config, where_ + ": " + std::to_string(problems.size()) + " problems", problems);
}

}  // namespace keyflow
