// Networks whose linear layers are packed, against the same networks with those weights unpacked beforehand (the same
// function, so to float32 rounding) and with the weights they were packed from (within the bounds of
// docs/numerical-contract.md).
#include <ATen/ops/arange.h>
#include <c10/core/InferenceMode.h>
#include <unistd.h>

#include "core/random.h"
#include "models/sd/keys.h"
#include "models/sd/load.h"
#include "models/t5/encoder.h"
#include "models/t5/keys.h"
#include "models/wan/transformer_load.h"
#include "tests/models/sd_tiny.h"
#include "tests/tensor_match.h"
#include "weights/convert.h"
#include "weights/plan.h"

namespace keyflow {
namespace {

namespace fs = std::filesystem;
using tests::near;
using weights::TensorFile;

class PackedWeights : public ::testing::Test {
 protected:
  PackedWeights() : folder_(fs::temp_directory_path() / c10::str("keyflow_packed_", ::getpid())) {
    fs::create_directories(folder_);
  }
  ~PackedWeights() override { fs::remove_all(folder_); }

  /// Fresh weights of a network under the names of a file.
  template <class Make>
  std::shared_ptr<TensorFile> fresh(const weights::Rename& rename, Make&& make) const {
    weights::InitSource init(3);
    make(weights::Scope(init, {}));
    std::vector<std::pair<std::string, at::Tensor>> tensors;
    for (const auto& [name, tensor] : init.named()) tensors.emplace_back(rename(name).name, tensor.detach());
    weights::save_safetensors(folder_ / "fresh.safetensors", tensors);
    return weights::open_tensors(folder_ / "fresh.safetensors");
  }
  std::shared_ptr<TensorFile> converted(const TensorFile& file, const std::string& type,
                                        const std::vector<std::string>& rules = {},
                                        const std::string& architecture = "") const {
    const fs::path path = folder_ / (type == "fp32" ? "plain.safetensors" : type + ".gguf");
    weights::ConvertOptions options{weights::target_type(type), {}, weights::output_format(path), architecture};
    for (const auto& rule : rules) options.rules.push_back(weights::convert_rule(rule));
    weights::convert(file, path, weights::plan_conversion(file, options), options);
    return weights::open_tensors(path);
  }
  static int64_t packed_count(const TensorFile& file) {
    return std::count_if(file.tensors().begin(), file.tensors().end(), [](const auto& info) { return info.packed(); });
  }

  fs::path folder_;
};

struct Bound {
  const char* type;
  double relative;
};

TEST_F(PackedWeights, WanTransformer) {
  wan::TransformerConfig config;
  config.in_dim = config.out_dim = 4;
  config.dim = config.freq_dim = config.text_dim = 256;
  config.ffn_dim = 512;
  config.num_heads = config.num_layers = 2;
  const auto file = fresh(weights::same_name, [&](const weights::Scope& w) { wan::Transformer(w, config); });
  const at::Tensor latents = randn({2, 4, 3, 4, 6}, 1), time = randn({2}, 2).abs() * 500, text = randn({2, 5, 256}, 3);
  const auto velocity = [&](const std::shared_ptr<TensorFile>& from, const Compute& compute = {}) {
    const c10::InferenceMode guard;
    const wan::Transformer model = wan::load_transformer(from, wan::transformer_config(*from), compute);
    return model(latents, time, model.prepare(text));
  };
  const at::Tensor exact = velocity(file);
  for (const auto& [type, relative] :
       {Bound{"q8_0", 0.001}, Bound{"q6_k", 0.004}, Bound{"q5_k", 0.01}, Bound{"q5_1", 0.01}, Bound{"q5_0", 0.01},
        Bound{"q4_k", 0.02}, Bound{"q4_1", 0.02}, Bound{"q4_0", 0.02}, Bound{"q3_k", 0.04}, Bound{"q2_k", 0.1}}) {
    SCOPED_TRACE(type);
    const auto packed = converted(*file, type);
    EXPECT_EQ(packed_count(*packed), 21) << "ten matrices a block and the time projection";
    const at::Tensor found = velocity(packed);
    const auto match = near(found, exact, relative);
    EXPECT_TRUE(match);
    RecordProperty(type, match.message());
    EXPECT_FALSE(near(found, exact, relative / 20)) << "the bound says nothing";
    EXPECT_TRUE(near(found, velocity(converted(*packed, "fp32")), 1e-5));
  }
  const Compute half{at::kBFloat16, at::kBFloat16, at::kBFloat16, at::kFloat};
  EXPECT_TRUE(near(velocity(converted(*file, "q8_0"), half), exact, 0.03));
}

TEST_F(PackedWeights, T5WithLlamasNamesAndAPackedVocabulary) {
  const t5::EncoderConfig config{
      .vocab_size = 48, .d_model = 64, .d_kv = 16, .num_heads = 4, .d_ff = 96, .num_layers = 2};
  const t5::EncoderKeys keys{t5::Spelling::llama_cpp, "token_embd.weight"};
  const auto file = fresh(keys.rename(), [&](const weights::Scope& w) { t5::Encoder(w, config); });
  EXPECT_EQ(t5::encoder_keys(file->tensors()).spelling, t5::Spelling::llama_cpp);
  EXPECT_NE(file->find("enc.blk.1.attn_rel_b.weight"), nullptr);
  const auto packed = converted(*file, "q8_0", {"token_embd=q8_0"});
  EXPECT_EQ(packed_count(*packed), 15);
  EXPECT_TRUE(packed->find("token_embd.weight")->packed());
  const at::Tensor ids = at::arange(48, at::kLong).view({2, 24});
  const auto encode = [&](const std::shared_ptr<TensorFile>& from) {
    const c10::InferenceMode guard;
    return t5::load_encoder(from, t5::encoder_config_from_tensors(from->tensors()), {})(ids);
  };
  EXPECT_TRUE(near(encode(packed), encode(converted(*packed, "fp32")), 1e-5));
  EXPECT_TRUE(near(encode(packed), encode(file), 0.03));
}

TEST_F(PackedWeights, UNetWithFlattenedConvolutions) {
  const sd::UNetConfig config = tests::tiny_unet();
  const auto rename = sd::unet_keys(config, sd::Spelling::original, "model.diffusion_model.").rename();
  const auto file = fresh(rename, [&](const weights::Scope& w) { sd::UNet(w, config); });
  const auto packed = converted(*file, "q8_0", {}, "sd1"), plain = converted(*packed, "fp32");
  const auto conv = std::find_if(packed->tensors().begin(), packed->tensors().end(),
                                 [](const auto& info) { return info.packed() && info.shape.size() == 4; });
  ASSERT_NE(conv, packed->tensors().end());
  const c10::InferenceMode guard;
  const tests::SdInputs in(config);
  const auto run = [&](const std::shared_ptr<TensorFile>& from) {
    return sd::load_unet(from, config, {})(in.latents, in.timestep, in.context);
  };
  EXPECT_TRUE(near(run(packed), run(plain), 1e-5));
  EXPECT_TRUE(near(run(packed), run(file), 0.05));
}

}  // namespace
}  // namespace keyflow
