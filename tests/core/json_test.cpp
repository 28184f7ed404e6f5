#include "core/json.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "core/files.h"

namespace keyflow {
namespace {

using namespace std::string_literals;

std::string fault_of(std::string_view text, const JsonLimits& limits = {}) {
  try {
    parse_json(text, "f.json", ErrorKind::config, limits);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::config);
    EXPECT_EQ(std::string(error.what()).rfind("config: f.json: ", 0), 0u) << error.what();
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    return error.what();
  }
  return "accepted";
}

#define EXPECT_FAULT(text, words) EXPECT_NE(fault_of(text).find(words), std::string::npos) << fault_of(text)

TEST(Json, BuildsTheTreeThatTheTextSays) {
  const auto json =
      parse_json(R"( {"a":[1,-2,2.5,true,null,"x\u00e9\n"],"b":{"c":{}},"big":18446744073709551615} )", "f");
  EXPECT_EQ(json["a"].size(), 6u);
  EXPECT_EQ(json["a"][1], -2);
  EXPECT_EQ(json["a"][2], 2.5);
  EXPECT_EQ(json["a"][3], true);
  EXPECT_TRUE(json["a"][4].is_null());
  EXPECT_EQ(json["a"][5], "x\xC3\xA9\n");
  EXPECT_TRUE(json["b"]["c"].empty());
  EXPECT_EQ(json["big"].get<uint64_t>(), 18446744073709551615u);
  EXPECT_EQ(parse_json("5", "f"), 5);
}

TEST(Json, NamesTheOffsetOfBadText) {
  EXPECT_FAULT("", "offset");
  EXPECT_FAULT("{\"a\":1,}", "offset 8");
  EXPECT_FAULT("[1,2", "offset");
  EXPECT_FAULT("{\"a\":NaN}", "offset");
  EXPECT_FAULT("[1] // note", "offset");
  EXPECT_FAULT("[1]x", "offset");
  EXPECT_FAULT("{'a':1}", "offset");
  EXPECT_FAULT("\"\xFF\"", "\\xff");
  EXPECT_FAULT("[1]\0trailing"s, "NUL");
  EXPECT_FAULT("\xEF\xBB\xBF{}", "byte-order mark");
}

TEST(Json, RefusesDuplicatesAndNumbersOutOfRange) {
  EXPECT_FAULT(R"({"a":1,"a":2})", "duplicate key \"a\"");
  EXPECT_FAULT(R"({"x":{"b":1,"b":1}})", "\"b\"");
  EXPECT_FAULT("[1e400]", "1e400");
  EXPECT_FAULT("[-1e999]", "out of range");
}

TEST(Json, AppliesItsLimits) {
  EXPECT_EQ(fault_of("[[1]]", {.depth = 2}), "accepted");
  EXPECT_NE(fault_of("[[[1]]]", {.depth = 2}).find("depth"), std::string::npos);
  EXPECT_NE(fault_of(std::string(200'000, '[')).find("depth"), std::string::npos);
  EXPECT_EQ(fault_of("[1,2]", {.values = 3}), "accepted");
  EXPECT_NE(fault_of("[1,2,3]", {.values = 3}).find("limit is 3"), std::string::npos);
  EXPECT_NE(fault_of("{\"" + std::string(5000, 'k') + "\":1}").find("5000 bytes"), std::string::npos);
}

TEST(Json, EscapesWhatItPrints) {
  const std::string fault = fault_of("{\"a\\u001b[31m\\nerror: x\":1,\"a\\u001b[31m\\nerror: x\":1}");
  EXPECT_NE(fault.find("\\x1b[31m\\x0aerror"), std::string::npos) << fault;
}

TEST(Json, ReadJsonNamesTheFile) {
  const auto path = std::filesystem::temp_directory_path() / ("keyflow_json_test_" + std::to_string(::getpid()));
  write_file(path, "{\"a\":}");
  try {
    read_json(path, ErrorKind::weights);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::weights);
    EXPECT_NE(std::string(error.what()).find(path.string() + ": offset"), std::string::npos);
  }
  write_file(path, "{\"a\":7}");
  EXPECT_EQ(read_json(path)["a"], 7);
  std::filesystem::remove(path);
}

// What json.dump writes for numbers that are none; a word inside a text stays.
TEST(Json, PythonJsonHasNoNumbers) {
  const auto path = std::filesystem::temp_directory_path() / ("keyflow_json_test_" + std::to_string(::getpid()));
  write_file(path, R"({"a": -Infinity, "b": [NaN, Infinity, 1], "c": "-Infinity \"NaN", "d": "\\"})");
  const auto read = read_python_json(path);
  EXPECT_TRUE(read["a"].is_null());
  EXPECT_EQ(read["b"].dump(), "[null,null,1]");
  EXPECT_EQ(read["c"], "-Infinity \"NaN");
  EXPECT_EQ(read["d"], "\\");
  EXPECT_THROW(read_json(path), Error);
  write_file(path, R"({"a": -Infinit})");
  EXPECT_THROW(read_python_json(path), Error);
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace keyflow
