#include "core/compute.h"

#include <gtest/gtest.h>

#include "core/error.h"

namespace keyflow {
namespace {

TEST(Compute, OneTypeForEveryClass) {
  const Compute bf16 = compute_from_text("bf16");
  EXPECT_EQ(bf16.linear, at::kBFloat16);
  EXPECT_EQ(bf16.conv2d, at::kBFloat16);
  EXPECT_EQ(bf16.conv3d, at::kBFloat16);
  EXPECT_EQ(bf16.attention, at::kBFloat16);
  EXPECT_EQ(compute_from_text("fp16").linear, at::kHalf);
  EXPECT_EQ(compute_from_text("fp32").linear, at::kFloat);
}

TEST(Compute, TextReadsBackAsItself) {
  Compute compute;
  compute.linear = at::kBFloat16;
  compute.conv3d = at::kHalf;
  EXPECT_EQ(to_text(compute), "linear=bf16 conv2d=fp32 conv3d=fp16 attention=fp32");
  EXPECT_EQ(to_text(compute_from_text(to_text(compute))), to_text(compute));
  EXPECT_EQ(compute_from_text("attention=bf16").linear, at::kFloat);
}

TEST(Compute, BadTextIsAUsageError) {
  for (const char* text : {"", "fp64", "bf16 ", "linear=", "linear=bf17", "liner=bf16", "linear=bf16 fp32", "=bf16"}) {
    try {
      compute_from_text(text);
      ADD_FAILURE() << "accepted: " << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::usage) << text;
      EXPECT_NE(std::string(error.what()).find("--dtype"), std::string::npos) << text;
    }
  }
}

TEST(Compute, ProbeChoosesTypesThatCanBeStored) {
  const Compute compute = probe_compute();
  EXPECT_EQ(to_text(compute_from_text(to_text(compute))), to_text(compute));
}

TEST(Compute, NamesOfTypes) {
  EXPECT_EQ(dtype_name(at::kFloat8_e4m3fn), "fp8_e4m3");
  EXPECT_EQ(dtype_name(at::kLong), "int64");
  EXPECT_EQ(dtype_name(at::kBool), "bool");
}

}  // namespace
}  // namespace keyflow
