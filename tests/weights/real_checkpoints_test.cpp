// Files published by others, in the shared data folder; the expected sums stand in its README.
#include <ATen/ops/isfinite.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "weights/hash.h"
#include "weights/tensor_file.h"

namespace keyflow::weights {
namespace {

namespace fs = std::filesystem;

fs::path shared(const std::string& name) { return fs::path(KEYFLOW_SHARED_DATA) / name; }

#define NEED_SHARED(path) \
  if (!fs::exists(path)) GTEST_SKIP() << "needs the shared data folder"

int64_t parameters(const TensorFile& file) {
  int64_t sum = 0;
  for (const auto& info : file.tensors()) sum += info.numel();
  return sum;
}

double sum_of(const TensorFile& file) {
  double sum = 0;
  for (const auto& info : file.tensors()) sum += file.read(info.name).to(at::kDouble).sum().item<double>();
  return sum;
}

TEST(RealCheckpoints, WanLatentIsALoneBf16Tensor) {
  const auto path = shared("wan_latent/test_latents_wan.pth");
  NEED_SHARED(path);
  const auto file = open_tensors(path);
  ASSERT_EQ(file->tensors().size(), 1u);
  EXPECT_EQ(file->format(), "pickle");
  const at::Tensor x = file->read("tensor");
  EXPECT_EQ(x.scalar_type(), at::kBFloat16);
  EXPECT_EQ(x.sizes(), (std::vector<int64_t>{1, 16, 16, 40, 64}));
  const at::Tensor d = x.to(at::kDouble);
  EXPECT_NEAR(d.sum().item<double>(), 18241.6933, 1e-3);  // torch.load gives this too; the README's last digits differ
  EXPECT_NEAR(d.abs().sum().item<double>(), 501473.978, 1e-3);
  EXPECT_NEAR(d.abs().max().item<double>(), 3.297, 1e-3);
  EXPECT_NEAR(d.select(1, 11).mean().item<double>(), 0.785, 5e-4);
}

TEST(RealCheckpoints, WanLatentIsNotCopied) {
  const auto path = shared("wan_latent/test_latents_wan.pth");
  NEED_SHARED(path);
  const auto file = open_tensors(path);
  const at::Tensor x = file->read("tensor");
  const auto* data = static_cast<const uint8_t*>(x.const_data_ptr());
  const auto& mapping = *file->parts()[0].file;
  EXPECT_TRUE(data >= mapping.data() && data + x.nbytes() <= mapping.data() + mapping.size());
}

struct Tiny {
  const char* name;
  size_t tensors;
  int64_t parameters;
  at::ScalarType dtype;
};

class TinyAutoencoders : public ::testing::TestWithParam<Tiny> {};

TEST_P(TinyAutoencoders, HaveTheirTensors) {
  const auto path = shared(std::string("taesd/") + GetParam().name);
  NEED_SHARED(path);
  const auto file = open_tensors(path);
  EXPECT_EQ(file->tensors().size(), GetParam().tensors);
  EXPECT_EQ(parameters(*file), GetParam().parameters);
  for (const auto& info : file->tensors()) {
    EXPECT_EQ(info.dtype, GetParam().dtype) << info.name;
    const at::Tensor x = file->read(info.name);
    EXPECT_TRUE(at::isfinite(x).all().item<bool>()) << info.name;
    EXPECT_LT(x.to(at::kFloat).abs().max().item<float>(), 100) << info.name;
  }
}

INSTANTIATE_TEST_SUITE_P(, TinyAutoencoders,
                         ::testing::Values(Tiny{"taesd_encoder.safetensors", 67, 1222532, at::kBFloat16},
                                           Tiny{"taesd_decoder.safetensors", 67, 1222531, at::kBFloat16},
                                           Tiny{"taesd3_encoder.safetensors", 67, 1229456, at::kBFloat16},
                                           Tiny{"taef1_decoder.safetensors", 67, 1229443, at::kBFloat16},
                                           Tiny{"taef2_encoder.pth", 79, 1338528, at::kHalf},
                                           Tiny{"taef2_decoder.pth", 79, 1338499, at::kHalf}),
                         [](const auto& info) {
                           std::string name = info.param.name;
                           std::replace(name.begin(), name.end(), '.', '_');
                           return name;
                         });

TEST(RealCheckpoints, LoraInTwoContainersHasTheSameKeys) {
  const auto first = shared("lora/weapons_r4.safetensors"), second = shared("lora/weapons_r4_other.bin");
  NEED_SHARED(first);
  const auto a = open_tensors(first), b = open_tensors(second);
  ASSERT_EQ(a->tensors().size(), 256u);
  ASSERT_EQ(b->tensors().size(), 256u);
  EXPECT_EQ(parameters(*a), 797184);
  EXPECT_EQ(a->metadata(), (std::map<std::string, std::string>{{"format", "pt"}}));
  for (size_t i = 0; i < 256; ++i) {
    const TensorInfo& info = a->tensors()[i];
    EXPECT_EQ(info.name, b->tensors()[i].name);
    EXPECT_EQ(info.shape, b->tensors()[i].shape);
    if (info.name.find("_lora.up.weight") == std::string::npos) continue;
    const float largest = a->read(info.name).abs().max().item<float>();
    EXPECT_GE(largest, 0.0016f) << info.name;
    EXPECT_LE(largest, 0.0059f) << info.name;
  }
  // The sums that safetensors.torch and torch.load give.
  EXPECT_NEAR(sum_of(*a), 130.61310522611967, 1e-9);
  EXPECT_NEAR(sum_of(*b), -92.20244983981803, 1e-9);
  EXPECT_NE(model_hash(*a), model_hash(*b));
}

TEST(RealCheckpoints, TextualInversion) {
  const auto path = shared("textual_inversion/fastai_learned_embeds.bin");
  NEED_SHARED(path);
  const auto file = open_tensors(path);
  ASSERT_EQ(file->tensors().size(), 1u);
  EXPECT_EQ(file->tensors()[0].name, "<birb-style>");
  EXPECT_EQ(file->tensors()[0].shape, std::vector<int64_t>{768});
}

TEST(RealCheckpoints, FileHashesAreThoseOfTheManifest) {
  const auto path = shared("MANIFEST.tsv");
  NEED_SHARED(path);
  const std::string manifest = read_file(path, 1 << 20);
  for (const std::string name : {"textual_inversion/fastai_learned_embeds.bin", "taesd/taesd_decoder.safetensors"}) {
    const auto line = manifest.find(name + "\t");
    ASSERT_NE(line, std::string::npos) << name;
    const auto size_end = manifest.find('\t', line + name.size() + 1);
    EXPECT_EQ(file_sha256(shared(name)), manifest.substr(size_end + 1, 64)) << name;
  }
}

TEST(RealCheckpoints, IndexWithoutItsShardsNamesOne) {
  const auto path = shared("configs/flux1-dev/transformer/diffusion_pytorch_model.safetensors.index.json");
  NEED_SHARED(path);
  try {
    open_tensors(path);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::io);
    EXPECT_NE(std::string(error.what()).find("diffusion_pytorch_model-00001-of-00003.safetensors"), std::string::npos);
  }
}

}  // namespace
}  // namespace keyflow::weights
