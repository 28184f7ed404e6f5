#include "models/wan/vae.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/rand.h>
#include <gtest/gtest.h>

#include "core/random.h"
#include "tests/tensor_match.h"
#include "weights/plan.h"

namespace keyflow::wan {
namespace {

using tests::near;

VaeConfig tiny() {
  VaeConfig config;
  config.base_dim = 8;
  return config;
}

/// Parameters need no gradients in these tests.
struct VaeTest : ::testing::Test {
  at::NoGradGuard no_grad;
  weights::InitSource init{3};
  Vae vae{weights::Scope(init, Compute{}), tiny()};
};

at::Tensor frames(int64_t count, int64_t height, int64_t width) {
  return randn({2, 3, count, height, width}, 5).mul(0.5).clamp(-1, 1);
}

TEST_F(VaeTest, StreamedEncodingEqualsTheWholeSequence) {
  for (const int64_t count : {1, 5, 9, 17}) {
    const at::Tensor video = frames(count, 40, 24);
    EXPECT_TRUE(near(vae.encode(video), vae.normalise(vae.encode_moments(video).first), 1e-5)) << count;
  }
}

TEST_F(VaeTest, StreamedDecodingEqualsTheWholeSequence) {
  for (const int64_t count : {1, 2, 3, 5}) {
    const at::Tensor latents = randn({2, 16, count, 5, 3}, 6);
    const at::Tensor whole = vae.decode_moments(vae.denormalise(latents)).clamp(-1, 1);
    EXPECT_EQ(whole.size(2), 4 * (count - 1) + 1);
    EXPECT_TRUE(near(vae.decode(latents), whole, 1e-5)) << count;
  }
}

TEST_F(VaeTest, HandsOutFramesAsTheyAreDecoded) {
  std::vector<int64_t> counts;
  vae.decode(randn({1, 16, 3, 3, 2}, 1), [&](const at::Tensor& chunk) { counts.push_back(chunk.size(2)); });
  EXPECT_EQ(counts, (std::vector<int64_t>{1, 4, 4}));
}

TEST_F(VaeTest, AsksForFramesAsTheyAreEncoded) {
  std::vector<std::pair<int64_t, int64_t>> asked;
  vae.encode(9, [&](int64_t start, int64_t count) {
    asked.emplace_back(start, count);
    return frames(count, 16, 24);
  });
  EXPECT_EQ(asked, (std::vector<std::pair<int64_t, int64_t>>{{0, 1}, {1, 4}, {5, 4}}));
}

TEST_F(VaeTest, AnEncodingGoesOnFromWhereItsCopyWas) {
  const at::Tensor video = frames(9, 16, 24), other = frames(9, 24, 16).transpose(3, 4);
  Vae::Encoding first(vae);
  std::vector<at::Tensor> latents{first.next(video.narrow(2, 0, 1)), first.next(video.narrow(2, 1, 4))};
  Vae::Encoding branch = first;
  latents.push_back(first.next(video.narrow(2, 5, 4)));
  EXPECT_TRUE(at::cat(latents, 2).equal(vae.encode(video)));
  latents[2] = branch.next(other.narrow(2, 5, 4));
  const at::Tensor mixed = at::cat({video.narrow(2, 0, 5), other.narrow(2, 5, 4)}, 2);
  EXPECT_TRUE(at::cat(latents, 2).equal(vae.encode(mixed)));
  EXPECT_THROW(first.next(video.narrow(2, 0, 1)), Error);
}

TEST_F(VaeTest, OneTileIsTheWholeFrame) {
  const at::Tensor latents = randn({1, 16, 2, 4, 4}, 2);
  EXPECT_TRUE(vae.decode(latents).equal(vae.decode(latents, {.tile = 32, .overlap = 8})));
}

TEST_F(VaeTest, SameBytesRunAfterRunAndNearlySoWithOtherThreads) {
  const at::Tensor latents = randn({1, 16, 2, 5, 3}, 2);
  const int threads = at::get_num_threads();
  at::set_num_threads(2);
  const at::Tensor first = vae.decode(latents);
  EXPECT_TRUE(vae.decode(latents).equal(first));
  at::set_num_threads(1);
  const at::Tensor alone = vae.decode(latents);
  at::set_num_threads(threads);
  EXPECT_TRUE(near(alone, first, 1e-5));
}

TEST_F(VaeTest, RefusesWhatItCannotTake) {
  const auto message = [&](auto&& run) -> std::string {
    try {
      run();
    } catch (const Error& error) {
      return error.kind() == ErrorKind::shape ? error.what() : "another kind";
    }
    return "nothing thrown";
  };
  EXPECT_NE(message([&] { vae.encode(frames(4, 16, 16)); }).find("expected 4n+1 frames, found 4"), std::string::npos);
  EXPECT_NE(message([&] { vae.encode(frames(1, 20, 16)); }).find("divisible by 8"), std::string::npos);
  EXPECT_NE(message([&] {
              vae.decode(randn({1, 48, 1, 2, 2}, 1));
            }).find("expected 16 latent channels"),
            std::string::npos);
}

TEST(VaeGradient, ReachesEveryWeight) {
  weights::InitSource init(3);
  const Vae vae{weights::Scope(init, Compute{}), tiny()};
  const auto [mean, logvar] = vae.encode_moments(frames(9, 16, 24));
  (vae.decode_moments(mean).square().mean() + logvar.square().mean()).backward();
  for (const auto& [name, tensor] : init.named()) {
    ASSERT_TRUE(tensor.grad().defined()) << name;
    EXPECT_GT(tensor.grad().abs().max().item<double>(), 0) << name;
  }
}

TEST(VaeConfigFile, NamesTheUnknownKey) {
  VaeConfig config = tiny();
  config.temperal_downsample = {true};
  EXPECT_THROW(config.validate(), Error);
}

}  // namespace
}  // namespace keyflow::wan
