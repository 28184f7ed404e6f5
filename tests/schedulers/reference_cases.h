#pragma once
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/isfinite.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "core/files.h"
#include "core/json.h"
#include "schedulers/sampler.h"

namespace keyflow::schedulers::test {

/// cases.json and samples.bin of a reference script.
class ReferenceCases : public ::testing::Test {
 protected:
  void open(const std::filesystem::path& folder, size_t at_least = 200) {
    cases_ = read_json(folder / "cases.json");
    samples_ = MappedFile::open(folder / "samples.bin");
    ASSERT_GT(cases_.size(), at_least);
  }

  /// [S+1, B, 3, 5, 7]: the start and the sample after each step
  at::Tensor samples_of(const nlohmann::json& c) const {
    auto* data = samples_->data() + c.at("offset").get<int64_t>() * sizeof(float);
    return at::from_blob(data, c.at("samples").get<std::vector<int64_t>>(), at::kFloat);
  }

  static std::string title(nlohmann::json c) {
    for (const char* key : {"sigmas_out", "timesteps_out", "offset", "samples", "asked"}) c.erase(key);
    return c.dump();
  }

  /// Equal within two units of float32's last place (pow and exp of numpy and of the C library differ by one).
  static void expect_same_list(const std::vector<double>& ours, const nlohmann::json& theirs, const char* what,
                               double absolute = 0.0) {
    ASSERT_EQ(ours.size(), theirs.size()) << what;
    for (size_t i = 0; i < ours.size(); ++i) {
      EXPECT_NEAR(ours[i], theirs[i].get<double>(), 2.4e-7 * std::abs(ours[i]) + absolute) << what << " " << i;
    }
  }

  /// A callback that compares each step with the reference, as far as that goes, within a share of its largest value.
  StepCallback comparison(const std::string& sampler, const at::Tensor& samples, double tolerance = 1e-5) {
    return [this, sampler, samples, tolerance](const SamplerState& state, const at::Tensor&) {
      EXPECT_TRUE(at::isfinite(state.latents).all().item<bool>());
      if (state.step >= samples.size(0)) return;
      const auto reference = samples[state.step];
      const double error = ((state.latents - reference).abs().max() / reference.abs().max()).item<double>();
      EXPECT_LE(error, tolerance) << "after step " << state.step;
      worst_[sampler] = std::max(worst_[sampler], error);
    };
  }

  void print_worst() const {
    for (const auto& [name, error] : worst_) std::printf("%-12s largest relative error %.2g\n", name.c_str(), error);
  }

  nlohmann::json cases_;

 private:
  std::shared_ptr<MappedFile> samples_;
  std::map<std::string, double> worst_;
};

}  // namespace keyflow::schedulers::test
