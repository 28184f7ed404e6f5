#include <c10/core/InferenceMode.h>

#include "core/error.h"
#include "tests/models/lora_networks.h"
#include "tests/tensor_match.h"
#include "weights/lora_set.h"

namespace keyflow {
namespace {

namespace fs = std::filesystem;
using tests::lora_network;
using tests::LoraNetwork;
using tests::near;
using weights::LoraMode;
using weights::LoraRequest;
using weights::LoraSet;

const fs::path kReference = fs::path(KEYFLOW_BINARY_DIR) / "reference/lora";

/// A network, the files that all make of it what lora_reference.py calls `output`.
struct Parity {
  std::string network, output;
  std::vector<std::string> files;
  double weight = 1;
};
void PrintTo(const Parity& parity, std::ostream* out) { *out << parity.network << " " << parity.output; }

class LoraParity : public ::testing::TestWithParam<Parity> {
 protected:
  c10::InferenceMode guard_;
  LoraNetwork network_ = lora_network(GetParam().network);
  fs::path folder_ = kReference / GetParam().network.substr(0, GetParam().network.find('_'));
  at::Tensor expected(const std::string& name) {
    return weights::open_tensors(folder_ / "case.safetensors")->read(name);
  }
  /// With every layer of every file matched.
  at::Tensor output(const std::vector<LoraRequest>& requests, LoraMode mode = LoraMode::beside) {
    LoraSet set(requests);
    const auto overlay = set.match(network_.names, network_.plan, mode);
    set.require_matches();
    for (const auto& report : set.report()) {
      EXPECT_EQ(report.unmatched, std::vector<std::string>{}) << report.path;
      EXPECT_EQ(report.matched, report.entries);
    }
    return network_.output(overlay);
  }
};

TEST_P(LoraParity, EveryNamingGivesWhatPeftGives) {
  const at::Tensor wanted = expected(GetParam().output);
  EXPECT_FALSE(near(network_.output({}), wanted, 1e-2)) << "the LoRA changes too little to be seen";
  for (const auto& file : GetParam().files) {
    const auto result = near(output({{folder_ / file, GetParam().weight}}), wanted, 1e-5);
    EXPECT_TRUE(result) << file;
    RecordProperty("difference", result.message());
  }
}

TEST_P(LoraParity, MergedWeightsGiveTheSame) {
  const auto& file = GetParam().files.front();
  const at::Tensor merged = output({{folder_ / file, GetParam().weight}}, LoraMode::merged);
  EXPECT_TRUE(near(merged, expected(GetParam().output), 1e-5));
}

TEST_P(LoraParity, StrengthZeroIsNotThere) {
  const at::Tensor without = network_.output({});
  for (const auto& file : GetParam().files) EXPECT_TRUE(output({{folder_ / file, 0}}).equal(without)) << file;
}

TEST_P(LoraParity, WeightsOfOneFileAddUp) {
  const fs::path file = folder_ / GetParam().files.front();
  EXPECT_TRUE(output({{file, GetParam().weight + 1}, {file, -1}}).equal(output({{file, GetParam().weight}})));
}

const std::vector<std::string> kOwn{"own_kohya.safetensors", "own_diffusers.safetensors", "own_peft",
                                    "own_named.safetensors"};
const std::vector<std::string> kOther{"other_kohya.safetensors", "other_dotted.safetensors"};
const std::vector<std::string> kOld{"attention_processor.safetensors", "attention_prefixed.safetensors",
                                    "attention_linear.safetensors", "attention_pickle.bin"};
const std::vector<std::string> kLycoris{"lycoris.safetensors"};

std::vector<Parity> parities() {
  std::vector<Parity> list{
      {"clip",
       "own",
       {"own_0.safetensors", "own_1.safetensors", "own_1_linear.safetensors", "own_2.safetensors",
        "own_2_linear.safetensors"}},
      {"t5", "own", {"own_0.safetensors", "own_1.safetensors", "own_2.safetensors", "own_2_linear.safetensors"}},
      {"sd1", "attention", kOld},
      {"sdxl", "attention", kOld},
      {"flux", "attention", {"attention_xlabs.safetensors"}},
      {"flux_other", "attention", {"attention_xlabs.safetensors"}},
      {"sd1", "lycoris", kLycoris, -0.7},
      {"sdxl", "lycoris", kLycoris, -0.7},
  };
  for (const char* name : {"sd1", "sdxl", "sd3", "flux", "wan", "sd3_other", "flux_other", "wan_other"}) {
    list.push_back({name, "own", kOwn});
    list.push_back({name, "half", kOwn, -0.5});
    list.push_back({name, "other", kOther});
  }
  for (const char* name : {"sd3", "flux", "wan", "sd3_other", "flux_other", "wan_other"}) {
    list.push_back({name, "lycoris", kLycoris, 1.3});
  }
  return list;
}

INSTANTIATE_TEST_SUITE_P(Networks, LoraParity, ::testing::ValuesIn(parities()),
                         [](const auto& info) { return info.param.network + "_" + info.param.output; });

class TwoLoras : public ::testing::TestWithParam<const char*> {};

TEST_P(TwoLoras, AddUpAsInPeft) {
  const c10::InferenceMode guard;
  const LoraNetwork network = lora_network(GetParam());
  const fs::path folder = kReference / GetParam();
  for (const auto mode : {LoraMode::beside, LoraMode::merged}) {
    LoraSet set({{folder / "own_kohya.safetensors", 0.7}, {folder / "second.safetensors", -0.4}});
    const auto overlay = set.match(network.names, network.plan, mode);
    const at::Tensor wanted = weights::open_tensors(folder / "case.safetensors")->read("two");
    EXPECT_TRUE(near(network.output(overlay), wanted, 1e-5));
  }
}
INSTANTIATE_TEST_SUITE_P(Networks, TwoLoras, ::testing::Values("sd1", "sdxl", "sd3", "flux", "wan"),
                         [](const auto& info) { return info.param; });

TEST(LoraFamilies, AFileForAnotherFamilyIsNamed) {
  const LoraNetwork network = lora_network("wan");
  LoraSet set({{kReference / "sd1/own_kohya.safetensors"}});
  const auto overlay = set.match(network.names, network.plan);
  EXPECT_TRUE(overlay.empty());
  try {
    set.require_matches([](const weights::LoraFile&) { return "Stable Diffusion 1.x"; });
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::weights);
    EXPECT_NE(std::string(error.what()).find("hint: it seems to be for Stable Diffusion 1.x"), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("\n  lora_unet_conv_in"), std::string::npos) << error.what();
  }
}

TEST(LoraFamilies, AFileForAnotherSizeIsRefusedLayerByLayer) {
  const LoraNetwork network = lora_network("sdxl");
  LoraSet set({{kReference / "sd1/own_kohya.safetensors"}});
  try {
    set.match(network.names, network.plan);
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::weights);
    EXPECT_NE(std::string(error.what()).find("layers do not fit the U-Net"), std::string::npos) << error.what();
  }
}

TEST(LoraFamilies, TextEncodersHaveAWeightOfTheirOwn) {
  const c10::InferenceMode guard;
  const LoraNetwork network = lora_network("clip");
  const fs::path file = kReference / "clip/own_0.safetensors";
  LoraSet set({{file, 0.3, 1.0}}), silent({{file, 1.0, 0.0}});
  const at::Tensor wanted = weights::open_tensors(kReference / "clip/case.safetensors")->read("own");
  EXPECT_TRUE(near(network.output(set.match(network.names, network.plan)), wanted, 1e-5));
  EXPECT_TRUE(silent.match(network.names, network.plan).empty());
  EXPECT_EQ(silent.report()[0].matched, silent.report()[0].entries);
  EXPECT_EQ(silent.report()[0].networks, std::vector<std::string>{"text encoder 2"});
}

}  // namespace
}  // namespace keyflow
