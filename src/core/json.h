#pragma once
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "core/error.h"

namespace keyflow {

/// Bounds checked while parsing, before a tree exists.
struct JsonLimits {
  size_t depth = 64;
  size_t values = 5'000'000;
  size_t key_bytes = 4096;
};

/// Parses JSON strictly: no NaN, no comments, no duplicate keys, nothing after the value but spaces.
/// Throws Error(kind): "where: offset N: ...".
nlohmann::json parse_json(std::string_view text, const std::string& where, ErrorKind kind = ErrorKind::config,
                          const JsonLimits& limits = {});

/// The same for what Python's json module writes where a number is none: NaN, Infinity and -Infinity become null.
nlohmann::json read_python_json(const std::filesystem::path& path, ErrorKind kind = ErrorKind::config);

/// parse_json of a file of at most 64 MiB.
nlohmann::json read_json(const std::filesystem::path& path, ErrorKind kind = ErrorKind::config);

}  // namespace keyflow
