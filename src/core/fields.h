#pragma once
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>
#include <vector>

namespace keyflow {

/// Reads a JSON object field by field and remembers which were asked for, so that a misspelt key is an error and not a
/// default. Problems are collected; finish() throws them all in one Error::config.
class JsonFields {
 public:
  /// `where` is the file's name, for messages; throws Error::config unless `object` is one. Keeps a reference to it.
  JsonFields(const nlohmann::json& object, std::string where);

  /// Each leaves `value` alone where the key is absent, or null where `null_value` is given (that is what null means).
  /// True if the key was present.
  bool read(const std::string& key, int64_t& value);
  bool read(const std::string& key, double& value);
  bool read(const std::string& key, std::string& value);
  bool read(const std::string& key, bool& value);
  bool read(const std::string& key, std::vector<int64_t>& value);
  bool read(const std::string& key, std::vector<std::string>& value);
  bool read_or_null(const std::string& key, int64_t& value, int64_t null_value);
  /// One integer in place of a list stands for `count` times the same.
  bool read_each(const std::string& key, std::vector<int64_t>& value, size_t count);

  /// True if the key is there and null, which counts as asking for it.
  bool is_null(const std::string& key);
  /// A key that must have one of these values where it is present, because keyflow knows no other.
  void expect(const std::string& key, const nlohmann::json& allowed);
  /// A key without influence.
  void skip(const std::string& key) { known_.insert(key); }
  /// Throws Error::config listing wrong types, refused values and keys never asked for.
  void finish() const;

 private:
  const nlohmann::json* find(const std::string& key);
  void wrong(const std::string& key, const std::string& expected, const nlohmann::json& found);

  const nlohmann::json& object_;
  std::string where_;
  std::set<std::string> known_;
  std::vector<std::string> problems_;
};

}  // namespace keyflow
