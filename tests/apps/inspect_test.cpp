// `keyflow inspect` on a small text encoder that the test writes: whole, and with one thing wrong at a time. Sparse
// files with the names and shapes of published checkpoints stand in for those.
#include <ATen/ops/ones.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "apps/program.h"
#include "models/t5/encoder.h"
#include "weights/plan.h"

namespace keyflow::tests {
namespace {

using nlohmann::json;
using Tensors = std::vector<std::pair<std::string, at::Tensor>>;

Tensors small_encoder() {
  t5::EncoderConfig config;
  config.vocab_size = 20;
  config.d_model = 12;
  config.d_kv = 4;
  config.num_heads = 3;
  config.d_ff = 16;
  config.num_layers = 2;
  weights::InitSource source(1);
  t5::Encoder(weights::Scope(source, Compute{}), config);
  Tensors tensors;
  for (const auto& [name, tensor] : source.named()) tensors.emplace_back(name, tensor.detach());
  return tensors;
}

std::string save(const TestFolder& folder, const Tensors& tensors) {
  const auto path = folder / "encoder.safetensors";
  weights::save_safetensors(path, tensors);
  return path.string();
}

std::vector<std::string> names(const json& list) {
  std::vector<std::string> result;
  for (const auto& entry : list) result.push_back(entry["name"]);
  return result;
}

TEST(Inspect, TellsWhatAWholeFileIs) {
  const TestFolder folder;
  const Tensors tensors = small_encoder();
  const std::string path = save(folder, tensors);
  const auto before = folder.content();
  const Outcome outcome = keyflow({"inspect", path, "--json", "--finite"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  const json report = json::parse(outcome.out);
  EXPECT_EQ(report["family"], "t5");
  EXPECT_EQ(report["variant"], "umT5 of width 12");
  EXPECT_EQ(report["tensors"].size(), tensors.size());
  EXPECT_TRUE(report["missing"].empty());
  EXPECT_TRUE(report["unexpected"].empty());
  int64_t parameters = 0;
  for (const auto& [name, tensor] : tensors) parameters += tensor.numel();
  EXPECT_EQ(report["parameters"], parameters);
  EXPECT_EQ(report["bytes"], parameters * 4);
  const Outcome text = keyflow({"inspect", path});
  EXPECT_EQ(text.code, 0);
  for (const auto& [name, tensor] : tensors) EXPECT_NE(text.out.find("\n" + name + "  "), std::string::npos) << name;
  EXPECT_EQ(folder.content(), before);
}

TEST(Inspect, TellsWhatALoraIs) {
  const TestFolder folder;
  const std::string layer = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k";
  const std::string path = save(
      folder, {{layer + ".lora_up.weight", at::ones({320, 4})}, {layer + ".lora_down.weight", at::ones({4, 768})}});
  const Outcome outcome = keyflow({"inspect", path, "--brief"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("LoRA of rank 4 on 1 layers, seemingly for Stable Diffusion 1.x (LoRA)"),
            std::string::npos)
      << outcome.out;
  expect_refused(keyflow({"inspect", save(folder, {{layer + ".lora_up.weight", at::ones({320, 4})}})}), 1,
                 {"layers of the LoRA are not whole"});
}

TEST(Inspect, ListsWhatIsMissingUnexpectedAndMisshapen) {
  const TestFolder folder;
  Tensors tensors = small_encoder();
  for (auto& [name, tensor] : tensors) {
    if (name == "blocks.1.norm1.weight") name = "blocks.1.nrom1.weight";
    if (name == "blocks.1.ffn.fc2.weight") tensor = tensor.t().contiguous();
  }
  const Outcome outcome = keyflow({"inspect", save(folder, tensors), "--json"});
  expect_refused(outcome, 1, {"encoder.safetensors", "1 missing", "1 unexpected", "1 of another shape"});
  const json report = json::parse(outcome.out);
  EXPECT_EQ(names(report["missing"]), std::vector<std::string>{"blocks.1.norm1.weight"});
  EXPECT_EQ(names(report["unexpected"]), std::vector<std::string>{"blocks.1.nrom1.weight"});
  ASSERT_EQ(report["mismatched"].size(), 1u);
  EXPECT_NE(report["mismatched"][0].get<std::string>().find("blocks.1.ffn.fc2.weight"), std::string::npos);
  for (const char* line : {"\n  missing     blocks.1.norm1.weight [12]", "\n  unexpected  blocks.1.nrom1.weight [12]",
                           "\n  shape       blocks.1.ffn.fc2.weight: model [12, 16], file [16, 12]"}) {
    EXPECT_NE(outcome.err.find(line), std::string::npos) << outcome.err;
  }
}

TEST(Inspect, FindsNumbersThatAreNone) {
  const TestFolder folder;
  Tensors tensors = small_encoder();
  for (auto& [name, tensor] : tensors) {
    if (name == "norm.weight") tensor[3] = NAN;
  }
  const std::string path = save(folder, tensors);
  EXPECT_EQ(keyflow({"inspect", path}).code, 0);
  const Outcome outcome = keyflow({"inspect", path, "--finite"});
  expect_refused(outcome, 1, {"1 tensors are not finite"});
  EXPECT_NE(outcome.err.find("\n  norm.weight: 1 of 12 values"), std::string::npos) << outcome.err;
}

TEST(Inspect, RefusesTensorsOfNoKnownNetwork) {
  const TestFolder folder;
  weights::save_safetensors(folder / "other.safetensors", {{"lora.up", at::ones({2, 3})}});
  const Outcome outcome = keyflow({"inspect", (folder / "other.safetensors").string(), "--json"});
  expect_refused(outcome, 1, {"other.safetensors", "lora.up [2, 3]"});
  EXPECT_EQ(json::parse(outcome.out)["family"], "unknown");
}

/// A file of this tensor list, bf16, whose data are a hole.
std::string sparse_file(const TestFolder& folder, const std::string& manifest) {
  std::ifstream list(manifest);
  nlohmann::ordered_json header;
  uint64_t offset = 0;
  for (std::string line; std::getline(list, line);) {
    const auto tab = line.find('\t');
    uint64_t bytes = 2;
    json shape = json::array();
    std::istringstream sizes(line.substr(tab + 1));
    for (std::string size; std::getline(sizes, size, 'x');) {
      shape.push_back(std::stoull(size));
      bytes *= std::stoull(size);
    }
    header[line.substr(0, tab)] = {{"dtype", "BF16"}, {"shape", shape}, {"data_offsets", {offset, offset + bytes}}};
    offset += bytes;
  }
  const std::string path = folder.write("sparse.safetensors", safetensors_bytes(header.dump(), 0));
  std::filesystem::resize_file(path, std::filesystem::file_size(path) + offset);
  return path;
}

TEST(Inspect, KnowsThePublishedCheckpointsFromTheirHeaders) {
  const std::string folder = KEYFLOW_SHARED_DATA "/manifests/";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "needs the shared data folder";
  const std::vector<std::array<std::string, 3>> known{
      {"wan2.1-t2v-1.3b", "Wan2.1-T2V-1.3B", "1418996800"},
      {"wan2.1-t2v-14b", "Wan2.1-T2V-14B", "14288491584"},
      {"wan2.1-t2v-14b-diffusers", "Wan2.1-T2V-14B", "14288491584"},
      {"wan2.1-i2v-14b", "Wan2.1-I2V-14B", "16394878784"},
      {"wan2.1-flf2v-14b", "Wan2.1-FLF2V-14B", "16395536704"},
      {"wan2.1-vae", "Wan2.1 VAE", "126892531"},
      {"wan-umt5-xxl-enc", "umT5-XXL", "5680910336"},
      {"wan-clip-xlm-roberta-vit-h-14", "OpenCLIP ViT-H/14", "1193014785"}};
  for (const auto& [manifest, variant, parameters] : known) {
    SCOPED_TRACE(manifest);
    const TestFolder scratch;
    const Outcome outcome = keyflow({"inspect", sparse_file(scratch, folder + manifest + ".tsv"), "--json"});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    const json report = json::parse(outcome.out);
    EXPECT_EQ(report["variant"], variant);
    EXPECT_EQ(report["parameters"].dump(), parameters);
    EXPECT_LT(outcome.cpu_s, 1.0);
  }
}

}  // namespace
}  // namespace keyflow::tests
