#include "weights/name_table.h"

#include <gtest/gtest.h>

#include <array>

namespace keyflow::weights {
namespace {

constexpr std::array kTable{NameRule{"attn.q", "attn.qkv", 0, 3}, NameRule{"attn.norm.weight", "attn.norm.scale"},
                            NameRule{"mlp", "linear1", 3, 7, 4}, NameRule{"table", "pos_embed"}};

TEST(NameTable, StemsKeepTheirSuffix) {
  const auto found = look_up(kTable, "attn.q.bias");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->name, "attn.qkv.bias");
  EXPECT_EQ(found->part, 0);
  EXPECT_EQ(found->parts, 3);
  EXPECT_EQ(found->span, 1);
  EXPECT_EQ(look_up(kTable, "mlp.weight")->span, 4);
}

TEST(NameTable, WholeNamesGoFirst) {
  EXPECT_EQ(look_up(kTable, "attn.norm.weight")->name, "attn.norm.scale");
  EXPECT_EQ(look_up(kTable, "table")->name, "pos_embed");
}

TEST(NameTable, HasNothingForOtherNames) {
  for (const char* name : {"attn.k.bias", "attn", "q", "", "."}) EXPECT_FALSE(look_up(kTable, name)) << name;
}

TEST(NameTable, CutsTheNameOfABlock) {
  const auto found = block_name("blocks.17.attn.q.bias", "blocks.");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->index, "17");
  EXPECT_EQ(found->inner, "attn.q.bias");
  for (const char* name : {"blocks.17", "blocks.17.", "blocks..q", "block.17.q", "blocks."}) {
    EXPECT_FALSE(block_name(name, "blocks.")) << name;
  }
}

}  // namespace
}  // namespace keyflow::weights
