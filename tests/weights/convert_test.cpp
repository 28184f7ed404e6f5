#include "weights/convert.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>

#include "core/quantised/block_pack.h"
#include "core/random.h"
#include "tests/tensor_match.h"
#include "tests/weights/hostile_files.h"

namespace keyflow::weights {
namespace {

namespace fs = std::filesystem;

class Convert : public ::testing::Test {
 protected:
  Convert() {
    save_safetensors(path("in.safetensors"),
                     {{"blocks.0.attn.q.weight", randn({64, 512}, 1).to(at::kBFloat16)},
                      {"blocks.0.attn.q.bias", randn({64}, 2).to(at::kBFloat16)},
                      {"blocks.0.ffn.weight", randn({8, 48, 3, 3}, 3)},
                      {"blocks.0.norm.weight", randn({2, 1024}, 4)},
                      {"patch_embedding.weight", randn({8, 32, 1, 2, 2}, 5).to(at::kHalf)},
                      {"ids", at::arange(7, at::kLong)}},
                     {{"format", "pt"}});
  }
  fs::path path(const std::string& name) const { return scratch_.path() / name; }
  std::shared_ptr<TensorFile> run(const std::string& from, const std::string& to, const std::string& type,
                                  const std::vector<std::string>& rules = {}, const std::string& architecture = "") {
    ConvertOptions options{target_type(type), {}, output_format(to), architecture};
    for (const auto& rule : rules) options.rules.push_back(convert_rule(rule));
    const auto file = open_tensors(path(from));
    plan_ = plan_conversion(*file, options);
    convert(*file, path(to), plan_, options);
    return open_tensors(path(to));
  }
  template <class Call>
  static std::pair<ErrorKind, std::string> failure(Call&& call) {
    try {
      call();
    } catch (const Error& error) {
      return {error.kind(), error.what()};
    }
    return {ErrorKind::internal, "nothing was thrown"};
  }
  testing::ScratchFolder scratch_;
  std::vector<Conversion> plan_;
};

TEST_F(Convert, PacksMatricesAndKeepsTheRest) {
  const auto file = run("in.safetensors", "out.gguf", "q4_k", {}, "wan");
  const auto type = [&](const char* name) { return file->find(name)->type_name(); };
  EXPECT_EQ(type("blocks.0.attn.q.weight"), "q4_k");
  EXPECT_EQ(type("blocks.0.attn.q.bias"), "bf16");
  EXPECT_EQ(type("blocks.0.ffn.weight"), "fp32");
  EXPECT_EQ(type("blocks.0.norm.weight"), "fp32");
  EXPECT_EQ(type("patch_embedding.weight"), "fp16");
  EXPECT_EQ(type("ids"), "int64");
  const auto in = open_tensors(path("in.safetensors"));
  EXPECT_TRUE(
      file->read("blocks.0.attn.q.weight").equal(unpack(pack(in->read("blocks.0.attn.q.weight"), BlockFormat::q4_k))));
  EXPECT_TRUE(file->read("patch_embedding.weight").equal(in->read("patch_embedding.weight")));
  EXPECT_EQ(file->metadata().at("general.architecture"), "wan");
  EXPECT_EQ(file->metadata().at("format"), "pt");
  std::map<std::string, std::string> reasons;
  for (const auto& step : plan_) reasons[step.to.name] = step.reason;
  EXPECT_EQ(reasons["blocks.0.attn.q.weight"], "");
  EXPECT_NE(reasons["blocks.0.ffn.weight"].find("256"), std::string::npos);
}

TEST_F(Convert, RulesGoFirst) {
  const auto file = run("in.safetensors", "out.gguf", "q8_0",
                        {"attn\\.q\\.weight$=q6_k", "attn=fp32", "ffn=q5_0", "^ids=q8_0", "norm=f16"});
  const auto type = [&](const char* name) { return file->find(name)->type_name(); };
  EXPECT_EQ(type("blocks.0.attn.q.weight"), "q6_k");
  EXPECT_EQ(type("blocks.0.attn.q.bias"), "fp32");
  EXPECT_EQ(type("blocks.0.ffn.weight"), "q5_0") << "rows of 3 were not flattened on demand";
  EXPECT_EQ(file->find("blocks.0.ffn.weight")->shape, (std::vector<int64_t>{8, 48, 3, 3}));
  EXPECT_EQ(type("blocks.0.norm.weight"), "fp16");
  EXPECT_EQ(type("ids"), "int64");
}

TEST_F(Convert, ArchitecturesOfUNetsFlattenConvolutions) {
  EXPECT_EQ(run("in.safetensors", "out.gguf", "q8_0", {}, "sdxl")->find("blocks.0.ffn.weight")->type_name(), "q8_0");
}

TEST_F(Convert, BackToSafetensorsAndBlocksBitForBit) {
  run("in.safetensors", "a.gguf", "q8_0", {}, "wan");
  const auto packed = open_tensors(path("a.gguf")), again = run("a.gguf", "b.gguf", "q8_0");
  EXPECT_TRUE(again->blocks("blocks.0.attn.q.weight")->bytes.equal(packed->blocks("blocks.0.attn.q.weight")->bytes));
  EXPECT_EQ(again->metadata(), packed->metadata());
  const auto plain = run("a.gguf", "c.safetensors", "fp16");
  EXPECT_EQ(plain->metadata(), (std::map<std::string, std::string>{{"format", "pt"}}));
  for (const auto& info : packed->tensors()) {
    SCOPED_TRACE(info.name);
    EXPECT_EQ(plain->find(info.name)->shape, info.shape);
    if (info.dtype == at::kLong) continue;
    EXPECT_EQ(plain->find(info.name)->dtype, at::kHalf);
    EXPECT_TRUE(plain->read(info.name).equal(packed->read(info.name).to(at::kFloat).to(at::kHalf)));
  }
}

TEST_F(Convert, ScaledFloatsAreUnpacked) {
  const at::Tensor values = randn({64, 64}, 1).to(at::kFloat8_e4m3fn);
  save_safetensors(path("fp8.safetensors"), {{"a.weight", values}, {"a.scale_weight", at::full({}, 0.5F)}});
  const auto plain = run("fp8.safetensors", "out.safetensors", "fp32");
  ASSERT_EQ(plain->tensors().size(), 1u);
  EXPECT_TRUE(plain->read("a.weight").equal(values.to(at::kFloat) * 0.5));
  EXPECT_EQ(run("fp8.safetensors", "out.gguf", "q8_0")->find("a.weight")->type_name(), "q8_0");
}

TEST_F(Convert, RefusesWhatTheOutputCannotHold) {
  save_safetensors(path("byte.safetensors"), {{"a.mask", at::full({2}, 1, at::kByte)}});
  const auto mask = failure([&] { run("byte.safetensors", "out.gguf", "q8_0"); });
  EXPECT_EQ(mask.first, ErrorKind::weights);
  EXPECT_NE(mask.second.find("\n  a.mask uint8 [2]"), std::string::npos) << mask.second;
  const auto rows = failure([&] { run("in.safetensors", "out.gguf", "q8_0", {"bias=q4_k"}); });
  EXPECT_NE(rows.second.find("blocks.0.attn.q.bias q4_k [64]"), std::string::npos) << rows.second;
  EXPECT_EQ(failure([&] { run("in.safetensors", "out.safetensors", "fp16", {"attn=q8_0"}); }).first,
            ErrorKind::weights);
  save_safetensors(path("big.safetensors"), {{"a.weight", at::full({64, 64}, 70000.F)}, {"b", at::full({2}, 1.F)}});
  for (const char* type : {"fp16", "q8_0"}) {
    const std::string name = std::string("big_") + type + (type[0] == 'f' ? ".safetensors" : ".gguf");
    const auto big = failure([&] { run("big.safetensors", name, type); });
    EXPECT_EQ(big.first, ErrorKind::numeric) << big.second;
    EXPECT_NE(big.second.find("\"a.weight\""), std::string::npos) << big.second;
    EXPECT_FALSE(fs::exists(path(name)));
  }
  save_safetensors(path("nan.safetensors"), {{"a.weight", at::full({64, 64}, std::nan(""))}});
  EXPECT_EQ(failure([&] { run("nan.safetensors", "nan.gguf", "q4_0"); }).first, ErrorKind::numeric);
}

TEST_F(Convert, AFailureLeavesTheOldFileAndNothingElse) {
  testing::write_bytes(path("out.gguf"), "old");
  ConvertOptions options{target_type("q8_0"), {}, OutputFormat::gguf, ""};
  const auto file = open_tensors(path("in.safetensors"));
  const auto plan = plan_conversion(*file, options);
  int told = 0;
  EXPECT_THROW(convert(*file, path("out.gguf"), plan, options,
                       [&](const Conversion&) {
                         if (++told == 3) fail(ErrorKind::interrupted, "stop");
                       }),
               Error);
  EXPECT_EQ(fs::file_size(path("out.gguf")), 3u);
  int files = 0;
  for (const auto& entry : fs::directory_iterator(scratch_.path())) files += entry.is_regular_file();
  EXPECT_EQ(files, 2);
}

TEST(ConvertTexts, WrongOnesAreUsageErrors) {
  for (const char* rule : {"", "=q8_0", "attn", "attn=q9", "(=q8_0"}) EXPECT_THROW(convert_rule(rule), Error) << rule;
  EXPECT_THROW(target_type("Q8_0"), Error);
  EXPECT_THROW(output_format("model.bin"), Error);
  EXPECT_EQ(output_format("a/model.sft"), OutputFormat::safetensors);
  for (const auto& name : target_type_names()) EXPECT_NO_THROW(target_type(name));
}

}  // namespace
}  // namespace keyflow::weights
