#include <ATen/ops/zeros.h>
#include <c10/core/InferenceMode.h>

#include "core/random.h"
#include "models/esrgan/load.h"
#include "models/esrgan/ncnn_graph.h"
#include "models/esrgan/tiles.h"
#include "tests/models/held_source.h"
#include "tests/tensor_match.h"

namespace keyflow {
namespace {

using esrgan::Config;
using esrgan::Keys;
using esrgan::Kind;
using tests::kind_of;
using tests::near;
using weights::Scope;

Config rrdb(int64_t unshuffle = 1) {
  Config config;
  config.features = 6;
  config.growth = 4;
  config.blocks = 1;
  config.unshuffle = unshuffle;
  return config;
}

Config compact() {
  Config config;
  config.kind = Kind::compact;
  config.features = 7;
  config.blocks = 3;
  config.shuffle = 3;
  return config;
}

std::vector<weights::TensorInfo> names_of(const Config& config, const weights::Rename& rename = weights::same_name) {
  return weights::record([&](const Scope& w) { esrgan::Network(w, config); }).as_file(rename);
}

esrgan::Network fresh(const Config& config, const Compute& compute = {}) {
  tests::HeldSource source([&](const Scope& w) { esrgan::Network(w, config); });
  return esrgan::Network(Scope(source, compute), config);
}

at::Tensor pixels(int64_t height, int64_t width, int64_t batch = 2) {
  return randn({batch, 3, height, width}, 4).mul(0.3).add(0.5).clamp(0, 1);
}

at::Tensor in_tiles(const esrgan::Network& network, const at::Tensor& rgb, const esrgan::Tiling& tiling) {
  const int64_t scale = network.config().scale();
  at::Tensor large = at::zeros({rgb.size(0), 3, scale * rgb.size(2), scale * rgb.size(3)}).fill_(-1e3);
  int64_t count = 0;
  esrgan::upscale_in_tiles(network, rgb, tiling, [&](const at::Tensor& tile, int64_t top, int64_t left) {
    large.narrow(2, top, tile.size(2)).narrow(3, left, tile.size(3)).copy_(tile);
    ++count;
  });
  EXPECT_EQ(count, esrgan::count_tiles(rgb.size(2), rgb.size(3), network.config(), tiling));
  return large;
}

TEST(Esrgan, GradientsReachEveryWeight) {
  for (const Config& config : {rrdb(), rrdb(2), compact()}) {
    weights::InitSource init(1);
    const esrgan::Network network(Scope(init, {}), config);
    const at::Tensor large = network(pixels(4, 6));
    EXPECT_EQ(large.size(2), config.scale() * 4);
    EXPECT_EQ(large.size(3), config.scale() * 6);
    large.square().mean().backward();
    for (const auto& [name, weight] : init.named()) EXPECT_GT(weight.grad().abs().max().item<float>(), 0) << name;
  }
}

TEST(Esrgan, ScalesAndReach) {
  EXPECT_EQ(Config{}.scale(), 4);
  EXPECT_EQ(rrdb(2).scale(), 2);
  EXPECT_EQ(rrdb(4).scale(), 1);
  EXPECT_EQ(compact().scale(), 3);
  EXPECT_EQ(compact().reach(), 5);
  EXPECT_EQ(rrdb(2).reach(), 2 * 20);
}

TEST(Esrgan, TheTensorsShowAllSizesInEverySpelling) {
  for (const auto spelling :
       {Keys::Spelling::current, Keys::Spelling::first, Keys::Spelling::old, Keys::Spelling::ncnn}) {
    Config config = rrdb(2);
    config.blocks = 2;
    config.doublings = 3;
    const Keys keys{Kind::rrdb, spelling, spelling == Keys::Spelling::ncnn ? "" : "params.", 2, 3};
    const auto list = names_of(config, keys.rename());
    const auto found = esrgan::keys_of(list);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->spelling, spelling);
    const Config shown = esrgan::config_from_tensors(list, *found);
    EXPECT_EQ(shown.kind, Kind::rrdb);
    EXPECT_EQ(shown.features, 6);
    EXPECT_EQ(shown.growth, 4);
    EXPECT_EQ(shown.blocks, 2);
    EXPECT_EQ(shown.doublings, 3);
    EXPECT_EQ(shown.unshuffle, 2);
  }
  for (const auto spelling : {Keys::Spelling::current, Keys::Spelling::ncnn}) {
    const auto list = names_of(compact(), Keys{Kind::compact, spelling, "", 0, 0}.rename());
    const auto found = esrgan::keys_of(list);
    ASSERT_TRUE(found);
    const Config shown = esrgan::config_from_tensors(list, *found);
    EXPECT_EQ(shown.kind, Kind::compact);
    EXPECT_EQ(shown.features, 7);
    EXPECT_EQ(shown.blocks, 3);
    EXPECT_EQ(shown.shuffle, 3);
  }
}

/// Parameters of the published files, as their authors count them.
TEST(Esrgan, PublishedSizes) {
  const auto parameters = [](const Config& config) {
    int64_t sum = 0;
    for (const auto& info : names_of(config)) sum += info.numel();
    return sum;
  };
  Config x2, anime, video;
  x2.unshuffle = 2;
  anime.blocks = 6;
  video.kind = Kind::compact;
  video.blocks = 16;
  EXPECT_EQ(parameters({}), 16'697'987);
  EXPECT_EQ(parameters(x2), 16'703'171);
  EXPECT_EQ(parameters(anime), 4'467'779);
  EXPECT_EQ(parameters(video), 621'424);
  EXPECT_EQ(variant_of(Config{}), "RealESRGAN x4plus");
  EXPECT_EQ(variant_of(x2), "RealESRGAN x2plus");
  EXPECT_EQ(variant_of(anime), "RealESRGAN x4plus anime 6B");
  EXPECT_EQ(variant_of(video), "realesr-animevideov3");
  EXPECT_EQ(variant_of(compact()), "SRVGG x3 of 7 features, 3 convolutions");
}

TEST(Esrgan, TilesWithTheWholeReachGiveTheWholePicture) {
  const c10::InferenceMode guard;
  for (const Config& config : {rrdb(), rrdb(2), compact()}) {
    const esrgan::Network network = fresh(config);
    const at::Tensor rgb = pixels(67, 91);
    const at::Tensor whole = network(rgb);
    EXPECT_TRUE(near(in_tiles(network, rgb, {.tile = 16, .margin = config.reach()}), whole, 1e-5));
    EXPECT_TRUE(near(in_tiles(network, rgb, {.tile = 0}), whole, 0));
    EXPECT_TRUE(near(in_tiles(network, rgb, {.tile = 500, .margin = 3}), whole, 0));
    // One convolution short of the reach is seen at the borders, so the number is not merely large enough.
    EXPECT_FALSE(near(in_tiles(network, rgb, {.tile = 16, .margin = 1}), whole, 1e-5));
  }
}

TEST(Esrgan, TheReachOfTheChainIsNotTooLarge) {
  const c10::InferenceMode guard;
  const esrgan::Network network = fresh(compact());
  const at::Tensor rgb = pixels(40, 53), whole = network(rgb);
  const auto error = [&](int64_t margin) {
    return (in_tiles(network, rgb, {.tile = 20, .margin = margin}) - whole).abs().max().item<double>();
  };
  EXPECT_LT(error(compact().reach()), 1e-5);
  EXPECT_GT(error(compact().reach() - 1), 1e-7);
}

/// With the margin that RRDB is given the error is small, though not nothing.
TEST(Esrgan, TilesOfRrdbNearlyGiveTheWholePicture) {
  const c10::InferenceMode guard;
  Config config = rrdb();
  config.features = 16;
  config.growth = 8;
  config.blocks = 4;
  const esrgan::Network network = fresh(config);
  const at::Tensor rgb = pixels(70, 150, 1), whole = network(rgb);
  const esrgan::Tiling tiling = esrgan::tiling_for(config, 50);
  EXPECT_LT(tiling.margin, config.reach());
  const double error = (in_tiles(network, rgb, tiling) - whole).abs().max().item<double>();
  EXPECT_LT(error, 1e-4);
  RecordProperty("error", std::to_string(error));
}

TEST(Esrgan, HalfTypesStayNear) {
  const c10::InferenceMode guard;
  const at::Tensor rgb = pixels(9, 12);
  for (const Config& config : {rrdb(), compact()}) {
    const Compute half{at::kBFloat16, at::kBFloat16, at::kBFloat16, at::kBFloat16};
    const at::Tensor large = fresh(config, half)(rgb);
    EXPECT_EQ(large.scalar_type(), at::kFloat);
    EXPECT_TRUE(near(large, fresh(config)(rgb), 3e-2));
  }
}

TEST(Esrgan, RefusesWhatItIsNot) {
  const c10::InferenceMode guard;
  const esrgan::Network network = fresh(compact());
  EXPECT_EQ(kind_of([&] { network(randn({1, 4, 8, 8}, 1)); }), ErrorKind::shape);
  EXPECT_EQ(kind_of([&] { network(randn({3, 8, 8}, 1)); }), ErrorKind::shape);
  EXPECT_EQ(kind_of([&] { network(at::zeros({1, 3, 0, 8})); }), ErrorKind::shape);
  EXPECT_EQ(kind_of([&] { network(at::zeros({1, 3, 8, 8}, at::kByte)); }), ErrorKind::shape);
  EXPECT_FALSE(esrgan::keys_of({{"encoder.conv.weight", at::kFloat, {4, 3, 3, 3}}}));
  EXPECT_FALSE(esrgan::keys_of({{"body.0.weight", at::kFloat, {4, 3, 3, 3}},
                                {"body.1.bias", at::kFloat, {4}},
                                {"body.1.weight", at::kFloat, {4}},
                                {"body.2.weight", at::kFloat, {4, 4, 3, 3}}}));
  const auto with = [](const char* name, std::vector<int64_t> shape) {
    auto list = names_of(rrdb());
    for (auto& info : list) {
      if (info.name == name) info.shape = shape;
    }
    return kind_of([&] { esrgan::config_from_tensors(list, *esrgan::keys_of(list)); });
  };
  EXPECT_EQ(with("conv_last.weight", {1, 6, 3, 3}), ErrorKind::weights);
  EXPECT_EQ(with("conv_first.weight", {6, 1, 3, 3}), ErrorKind::weights);
  EXPECT_EQ(with("conv_first.weight", {6, 6, 3, 3}), ErrorKind::weights);
  EXPECT_EQ(with("conv_first.weight", {6, 27, 3, 3}), ErrorKind::config);
  EXPECT_EQ(with("conv_first.weight", {6}), ErrorKind::weights);
}

/// The layers of a chain with one convolution in the middle.
std::string chain(const std::string& from = "", const std::string& to = "") {
  std::string text =
      "7767517\n10 11\nInput i 0 1 data\nSplit s 1 2 data d0 d1\n"
      "Convolution c0 1 1 d0 a 0=7 1=3 4=1 5=1 6=189\nPReLU p0 1 1 a b 0=7\n"
      "Convolution c1 1 1 b c 0=7 1=3 4=1 5=1 6=441\nPReLU p1 1 1 c d 0=7\n"
      "Convolution c2 1 1 d e 0=27 1=3 4=1 5=1 6=1701\nPixelShuffle x 1 1 e f 0=3\n"
      "Interp n 1 1 d1 g 0=1 1=3.0 2=3.0\nBinaryOp add 2 1 f g out\n";
  if (from.empty()) return text;
  const auto at = text.find(from);
  EXPECT_NE(at, text.npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(Esrgan, LayersThatAreJoinedOtherwiseAreRefused) {
  Config config = compact();
  config.blocks = 1;
  const auto kind = [&](const std::string& text) {
    return kind_of([&] { esrgan::require_graph(text, "net.param", config); });
  };
  EXPECT_NO_THROW(esrgan::require_graph(chain(), "net.param", config));
  EXPECT_NO_THROW(esrgan::require_graph(chain("2 1 f g out", "2 1 g f out"), "net.param", config));
  EXPECT_EQ(kind(chain("1 1 d1 g", "1 1 a g")), ErrorKind::weights);
  EXPECT_EQ(kind(chain("c1 1 1 b c", "c1 1 1 a c")), ErrorKind::weights);
  EXPECT_EQ(kind(chain("f 0=3", "f 0=2")), ErrorKind::weights);
  EXPECT_EQ(kind(chain("1=3.0 2=3.0", "1=2.0 2=2.0")), ErrorKind::weights);
  EXPECT_EQ(kind(chain("0=1 1=3.0", "0=2 1=3.0")), ErrorKind::unsupported);      // bilinear
  EXPECT_EQ(kind(chain("1=3.0 2=3.0", "1=3.0 2=2.0")), ErrorKind::unsupported);  // stretched
  EXPECT_EQ(kind(chain("a 0=7 1=3", "a 0=7 2=2 1=3")), ErrorKind::unsupported);  // dilated
  EXPECT_EQ(kind(chain("a 0=7 1=3 4=1", "a 0=7 1=3")), ErrorKind::unsupported);  // no padding
  EXPECT_EQ(kind(chain("a 0=7 1=3", "a 0=7 9=1 1=3")), ErrorKind::unsupported);  // activation
  EXPECT_EQ(kind(chain("add 2 1 f g out", "add 2 1 f g out 0=2")), ErrorKind::unsupported);
  EXPECT_EQ(kind(chain("BinaryOp add", "Crop add")), ErrorKind::unsupported);
}

}  // namespace
}  // namespace keyflow
