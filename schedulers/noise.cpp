#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/randn.h>

#include <memory>

#include "core/error.h"
#include "core/philox.h"
#include "schedulers/sampler.h"

namespace keyflow::schedulers {
namespace {

/// The generators of a batch and how many draws they have given.
struct Draws {
  std::vector<uint64_t> seeds;
  std::vector<int64_t> shape;  // of one sample, with a leading 1
  std::vector<at::Generator> generators;
  int64_t done = 0;

  void rewind() {
    generators.clear();
    for (const uint64_t seed : seeds) generators.push_back(at::make_generator<at::CPUGeneratorImpl>(seed));
    done = 0;
  }

  at::Tensor next() {
    std::vector<at::Tensor> samples;
    for (auto& generator : generators) samples.push_back(at::randn(shape, generator, at::kFloat));  // [1, ...]
    ++done;
    return at::cat(samples);  // [B, ...]
  }

  /// Draw number `index`; earlier ones are drawn and thrown away, so that it is the same whoever asks when.
  at::Tensor at_index(int64_t index) {
    if (generators.empty() || index < done) rewind();
    while (done < index) next();
    return next();
  }
};

std::shared_ptr<Draws> draws(const std::vector<uint64_t>& seeds, at::IntArrayRef shape) {
  require(!seeds.empty(), ErrorKind::usage, "noise: expected a seed for each sample, found none");
  auto made = std::make_shared<Draws>();
  made->seeds = seeds;
  made->shape = {1};
  made->shape.insert(made->shape.end(), shape.begin(), shape.end());
  return made;
}

}  // namespace

at::Tensor initial_noise(const std::vector<uint64_t>& seeds, at::IntArrayRef shape) {
  return draws(seeds, shape)->at_index(0);
}

NoiseKind noise_kind(std::string_view name) {
  require(name == "cpu" || name == "cuda", ErrorKind::usage, "rng: expected cpu or cuda, found \"", printable(name),
          "\"");
  return name == "cuda" ? NoiseKind::cuda : NoiseKind::cpu;
}

StepNoise seeded_noise(const std::vector<uint64_t>& seeds, at::IntArrayRef shape, int64_t draws_before,
                       NoiseKind kind) {
  auto made = draws(seeds, shape);
  if (kind == NoiseKind::cpu) {
    return [made, draws_before](int64_t step) { return made->at_index(draws_before + step + 1); };
  }
  return [made, draws_before](int64_t step) {
    std::vector<at::Tensor> samples;
    for (const uint64_t seed : made->seeds) samples.push_back(philox_randn(made->shape, seed, draws_before + step + 1));
    return at::cat(samples);  // [B, ...]
  };
}

}  // namespace keyflow::schedulers
