#include "core/compute.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "core/error.h"
#include "core/files.h"

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

TEST(Compute, MachineKeepsItsFirstChoice) {
  namespace fs = std::filesystem;
  const fs::path folder = fs::path(::testing::TempDir()) / ("compute_" + std::to_string(::getpid()));
  const char* before = std::getenv("XDG_CACHE_HOME");
  const std::string kept = before != nullptr ? before : "";
  ::setenv("XDG_CACHE_HOME", folder.c_str(), 1);
  const std::string first = to_text(machine_compute());
  ASSERT_EQ(std::distance(fs::directory_iterator(folder / "keyflow"), fs::directory_iterator()), 1);
  const fs::path file = fs::directory_iterator(folder / "keyflow")->path();
  EXPECT_EQ(read_file(file, 1000), first + "\n");
  write_file(file, "linear=fp16 conv2d=fp32 conv3d=fp16 attention=bf16\n");
  EXPECT_EQ(to_text(machine_compute()), "linear=fp16 conv2d=fp32 conv3d=fp16 attention=bf16");
  for (const char* broken : {"nonsense", "linear=fp16 conv2d=fp16", ""}) {
    write_file(file, broken);
    const std::string measured = to_text(machine_compute());
    EXPECT_EQ(read_file(file, 1000), measured + "\n") << broken;
  }
  ::setenv("XDG_CACHE_HOME", "/dev/null/no-folder", 1);
  EXPECT_NO_THROW(machine_compute());
  before != nullptr ? ::setenv("XDG_CACHE_HOME", kept.c_str(), 1) : ::unsetenv("XDG_CACHE_HOME");
  fs::remove_all(folder);
}

TEST(Compute, NamesOfTypes) {
  EXPECT_EQ(dtype_name(at::kFloat8_e4m3fn), "fp8_e4m3");
  EXPECT_EQ(dtype_name(at::kLong), "int64");
  EXPECT_EQ(dtype_name(at::kBool), "bool");
}

}  // namespace
}  // namespace keyflow
