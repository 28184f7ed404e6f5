#include "core/json.h"

#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "core/files.h"

namespace keyflow {
namespace {

using nlohmann::json;

/// Builds the tree while checking depth, counts, key lengths and duplicates, so that no bad text ever
/// becomes a tree.
class BoundedBuilder final : public nlohmann::json_sax<json> {
 public:
  BoundedBuilder(const std::string& where, ErrorKind kind, const JsonLimits& limits)
      : where_(where), kind_(kind), limits_(limits) {}

  json take() { return std::move(root_); }

  bool null() override { return put(nullptr); }
  bool boolean(bool value) override { return put(value); }
  bool number_integer(number_integer_t value) override { return put(value); }
  bool number_unsigned(number_unsigned_t value) override { return put(value); }
  bool number_float(number_float_t value, const string_t& text) override {
    require(std::isfinite(value), kind_, where_, ": number ", printable(text), " is out of range");
    return put(value);
  }
  bool string(string_t& value) override { return put(std::move(value)); }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return open(json::object()); }
  bool start_array(std::size_t) override { return open(json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(string_t& value) override {
    require(value.size() <= limits_.key_bytes, kind_, where_, ": key \"", printable(value), "\" has ", value.size(),
            " bytes; expected at most ", limits_.key_bytes);
    require(!stack_.back()->contains(value), kind_, where_, ": duplicate key \"", printable(value), "\"");
    key_ = std::move(value);
    return true;
  }

  bool parse_error(std::size_t position, const std::string& token, const nlohmann::detail::exception& error) override {
    if (error.id == 406) fail(kind_, where_, ": offset ", position, ": number ", printable(token), " is out of range");
    fail(kind_, where_, ": offset ", position, ": not valid JSON; found \"", printable(token, 40), "\"");
  }

 private:
  template <class Value>
  json* place(Value&& value) {
    require(++values_ <= limits_.values, kind_, where_, ": more than ", limits_.values, " values; the limit is ",
            limits_.values);
    if (stack_.empty()) {
      root_ = std::forward<Value>(value);
      return &root_;
    }
    json& parent = *stack_.back();
    if (parent.is_array()) {
      parent.push_back(std::forward<Value>(value));
      return &parent.back();
    }
    json& slot = parent[key_];
    slot = std::forward<Value>(value);
    return &slot;
  }
  template <class Value>
  bool put(Value&& value) {
    place(std::forward<Value>(value));
    return true;
  }
  bool open(json empty) {
    require(stack_.size() < limits_.depth, kind_, where_, ": nesting depth exceeds ", limits_.depth);
    stack_.push_back(place(std::move(empty)));
    return true;
  }
  bool close() {
    stack_.pop_back();
    return true;
  }

  const std::string& where_;
  ErrorKind kind_;
  JsonLimits limits_;
  json root_;
  std::vector<json*> stack_;
  std::string key_;
  size_t values_ = 0;
};

}  // namespace

json parse_json(std::string_view text, const std::string& where, ErrorKind kind, const JsonLimits& limits) {
  // nlohmann skips a byte-order mark in silence; a file that carries one is not the format it claims to be.
  require(!text.starts_with("\xEF\xBB\xBF"), kind, where, ": offset 0: expected JSON, found a byte-order mark");
  // Nor may a NUL end the text early: nlohmann takes it for the end of input and never looks behind it.
  const auto nul = text.find('\0');
  require(nul == text.npos, kind, where, ": offset ", nul, ": expected JSON, found a NUL byte");
  BoundedBuilder builder(where, kind, limits);
  json::sax_parse(text.begin(), text.end(), &builder);
  return builder.take();
}

json read_python_json(const std::filesystem::path& path, ErrorKind kind) {
  const std::string text = read_file(path, 64u << 20);
  std::string strict;
  bool quoted = false;
  for (size_t at = 0; at < text.size();) {
    const std::string_view rest = std::string_view(text).substr(at);
    size_t length = 0;
    for (const std::string_view word : {"-Infinity", "Infinity", "NaN"}) {
      if (!quoted && rest.starts_with(word)) length = std::max(length, word.size());
    }
    if (length > 0) {
      strict += "null";
    } else {
      length = quoted && rest[0] == '\\' && rest.size() > 1 ? 2 : 1;
      if (rest[0] == '"') quoted = !quoted;
      strict += rest.substr(0, length);
    }
    at += length;
  }
  return parse_json(strict, printable(path.string(), 400), kind);
}

json read_json(const std::filesystem::path& path, ErrorKind kind) {
  return parse_json(read_file(path, 64u << 20), printable(path.string(), 400), kind);
}

}  // namespace keyflow
