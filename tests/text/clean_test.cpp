#include "text/clean.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/json.h"
#include "text/fix_text.h"
#include "text/utf8.h"

using namespace keyflow;
using namespace keyflow::text;

namespace {

std::string code_points(const std::string& bytes) {
  std::string out;
  for (const char32_t c : decode_utf8(bytes)) out += c10::str(std::hex, static_cast<uint32_t>(c), " ");
  return out;
}

std::string message_of(const std::string& prompt) {
  try {
    clean_prompt(prompt);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    return error.what();
  }
  return "";
}

}  // namespace

TEST(CleanParity, EqualsFtfyAndWan) {
  const auto cases = read_json(KEYFLOW_BINARY_DIR "/reference/clean/clean.json");
  ASSERT_GT(cases.size(), 5000u);
  int wrong = 0;
  for (const auto& entry : cases) {
    const auto text = entry[0].get<std::string>(), fixed = entry[1].get<std::string>(),
               clean = entry[2].get<std::string>();
    const std::string found = encode_utf8(fix_text(decode_utf8(text)));
    if (found != fixed || clean_prompt(text) != clean) {
      if (++wrong > 20) continue;
      ADD_FAILURE() << "text     " << printable(text) << "  " << code_points(text) << "\nexpected " << printable(fixed)
                    << "  " << code_points(fixed) << "\nfound    " << printable(found) << "  " << code_points(found)
                    << "\nexpected cleaned " << code_points(clean) << "\nfound            "
                    << code_points(clean_prompt(text));
    }
  }
  EXPECT_EQ(wrong, 0) << "of " << cases.size();
}

TEST(Clean, KeepsWhatIsAlreadyClean) {
  const std::string prompt = "镜头晃动，一只白猫 walks, 8k; déjà vu";
  EXPECT_EQ(clean_prompt("  镜头晃动,一只白猫\u3000walks,\n\n 8k; déjà vu "), "镜头晃动,一只白猫 walks, 8k; déjà vu");
  EXPECT_EQ(clean_prompt(clean_prompt(prompt)), clean_prompt(prompt));
}

TEST(Clean, X01NamesThePosition) {
  EXPECT_NE(message_of("abc\xFFxyz").find("byte 3"), std::string::npos);
  EXPECT_NE(message_of("caf\xC3").find("byte 3"), std::string::npos);
  EXPECT_NE(message_of("\xED\xA0\x80").find("byte 0"), std::string::npos);
  EXPECT_NE(message_of(std::string("ab\0c", 4)).find("byte 2"), std::string::npos);
  EXPECT_NE(message_of(std::string(10u << 20, 'x')).find("10485760"), std::string::npos);
}

TEST(Clean, X01OnlySpacesIsEmpty) { EXPECT_EQ(clean_prompt(" \t\n\u00a0\u3000 "), ""); }

TEST(Clean, X01MillionParentheses) {
  const std::string prompt(1'000'000, '(');
  EXPECT_EQ(clean_prompt(prompt), prompt);
}

TEST(Clean, NestedEntitiesEndInAnError) {
  std::string prompt = "&";
  while (prompt.size() + 4 < kMostPromptBytes) prompt += "amp;";
  EXPECT_NE(message_of(prompt).find("nested"), std::string::npos);
}
