#include "core/fields.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/error.h"

namespace keyflow {
namespace {

using nlohmann::json;

/// What finish() says after `read` has asked for its fields.
template <class Read>
std::string fault_of(const json& object, Read&& read) {
  try {
    JsonFields fields(object, "here");
    read(fields);
    fields.finish();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::config);
    return error.what();
  }
  return "accepted";
}

TEST(JsonFields, ReadEveryKind) {
  bool flag = false;
  std::vector<std::string> words;
  std::vector<int64_t> each, list;
  const json object = {{"flag", true}, {"words", {"a", "b"}}, {"each", 7}, {"list", {1, 2}}, {"nothing", nullptr}};
  EXPECT_EQ(fault_of(object,
                     [&](JsonFields& fields) {
                       EXPECT_TRUE(fields.read("flag", flag) && fields.read("words", words));
                       EXPECT_TRUE(fields.read_each("each", each, 3) && fields.read_each("list", list, 3));
                       EXPECT_TRUE(fields.is_null("nothing"));
                       EXPECT_FALSE(fields.is_null("flag") || fields.is_null("absent"));
                       EXPECT_FALSE(fields.read("absent", flag) || fields.read_each("absent", each, 2));
                     }),
            "accepted");
  EXPECT_TRUE(flag);
  EXPECT_EQ(words, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(each, (std::vector<int64_t>{7, 7, 7}));
  EXPECT_EQ(list, (std::vector<int64_t>{1, 2}));
}

TEST(JsonFields, WrongTypesAreNamedAndChangeNothing) {
  bool flag = true;
  std::vector<std::string> words{"kept"};
  std::vector<int64_t> each{5};
  const json object = {{"flag", 1}, {"words", {"a", 2}}, {"each", "x"}, {"null", nullptr}};
  const std::string fault = fault_of(object, [&](JsonFields& fields) {
    fields.read("flag", flag);
    fields.read("words", words);
    fields.read_each("each", each, 2);
    fields.read_each("null", each, 2);
  });
  EXPECT_NE(fault.find("flag: expected true or false, found 1"), std::string::npos) << fault;
  EXPECT_NE(fault.find("words: expected a list of strings, found [\"a\",2]"), std::string::npos) << fault;
  EXPECT_NE(fault.find("each: expected an integer, found \"x\""), std::string::npos) << fault;
  EXPECT_NE(fault.find("null: expected an integer, found null"), std::string::npos) << fault;
  EXPECT_TRUE(flag);
  EXPECT_EQ(words, std::vector<std::string>{"kept"});
  EXPECT_EQ(each, std::vector<int64_t>{5});
}

}  // namespace
}  // namespace keyflow
