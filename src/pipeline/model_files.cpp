#include "pipeline/model_files.h"

#include <sys/mman.h>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/json.h"
#include "models/clip/keys.h"
#include "models/clip/vision_load.h"
#include "models/t5/keys.h"
#include "models/wan/keys.h"
#include "models/wan/transformer_load.h"

namespace keyflow::pipeline {
namespace {

std::string quoted(const std::filesystem::path& path) { return printable(path.string(), 400); }

/// Records what `make` asks for and compares it with the file.
template <class Make>
void plan_network(Network& network, const std::string& what, const weights::Ignore& ignore, Make&& make) {
  network.plan = weights::record(make);
  network.plan.require_match(*network.file, what, network.rename, ignore);
}

void plan_transformer(ModelFiles& model) {
  const PartFile& part = model.parts.parts.at(PartKind::transformer);
  model.transformer.file = part.file;
  model.transformer_config = wan::transformer_config(*part.file, part.config);
  const wan::TransformerKeys keys = wan::transformer_keys(part.file->tensors());
  model.transformer.rename = keys.rename();
  plan_network(model.transformer, "the Wan transformer", keys.ignore(),
               [&](const weights::Scope& w) { wan::Transformer(w, model.transformer_config); });
}

void plan_vae(ModelFiles& model) {
  const PartFile& part = model.parts.parts.at(PartKind::vae);
  model.vae.file = part.file;
  model.vae_config =
      part.config.empty() ? wan::vae_config_from_tensors(part.file->tensors()) : wan::vae_config_from_json(part.config);
  model.vae.rename = wan::vae_rename(*part.file, model.vae_config);
  plan_network(model.vae, "the Wan VAE", {}, [&](const weights::Scope& w) { wan::Vae(w, model.vae_config); });
}

void plan_text_encoder(ModelFiles& model) {
  const PartFile& part = model.parts.parts.at(PartKind::text_encoder);
  model.text_encoder.file = part.file;
  model.text_config = part.config.empty() ? t5::encoder_config_from_tensors(part.file->tensors())
                                          : t5::encoder_config_from_json(read_json(part.config), quoted(part.config));
  const t5::EncoderKeys keys = t5::encoder_keys(part.file->tensors());
  model.text_encoder.rename = keys.rename();
  plan_network(model.text_encoder, "the umT5 text encoder", keys.ignore(),
               [&](const weights::Scope& w) { t5::Encoder(w, model.text_config); });
}

void plan_image_encoder(ModelFiles& model) {
  const PartFile& part = model.parts.parts.at(PartKind::image_encoder);
  model.image_encoder.file = part.file;
  model.image_config = clip::vision_config(*part.file, part.config);
  const clip::VisionKeys keys = clip::vision_keys(part.file->tensors());
  model.image_encoder.rename = keys.rename();
  plan_network(model.image_encoder, "the CLIP picture encoder", keys.ignore(model.image_config.num_hidden_layers),
               [&](const weights::Scope& w) { clip::VisionTower(w, model.image_config); });
}

/// Numbers of one part that another part repeats.
void check_fit(const ModelFiles& model) {
  const auto& dit = model.transformer_config;
  const auto agree = [&](int64_t has, int64_t wants, const char* part, const char* of, const std::string& hint) {
    require(has == wants, ErrorKind::config, "the ", part, " has ", has, " ", of, ", the transformer ",
            quoted(model.transformer.file->path()), " wants ", wants, "; hint: ", hint);
  };
  agree(model.vae_config.z_dim, dit.out_dim, "VAE", "latent channels",
        dit.out_dim == 48 ? "the Wan 2.2 VAE" : "the VAE the checkpoint was published with, by --vae");
  agree(model.text_config.d_model, dit.text_dim, "text encoder", "channels",
        "the text encoder the checkpoint was published with, by --text-encoder");
  if (dit.image_dim > 0) {
    agree(model.image_config.hidden_size, dit.image_dim, "picture encoder", "channels",
          "the picture encoder the checkpoint was published with, by --image-encoder");
  }
}

void check_tokenizer(const ModelFiles& model) {
  require(model.tokenizer->vocabulary() <= model.text_config.vocab_size, ErrorKind::config, "the tokenizer ",
          quoted(model.parts.tokenizer), " has ", model.tokenizer->vocabulary(), " ids, the text encoder only ",
          model.text_config.vocab_size);
}

/// Every part that is needed and not there, in one message.
void require_parts(const ModelParts& parts, Need need, const std::string& model) {
  std::vector<std::string> missing;
  const auto want = [&](PartKind kind) {
    if (parts.parts.count(kind) == 0) missing.push_back(c10::str(name_of(kind), ": give it by ", option_of(kind)));
  };
  if (need == Need::render) want(PartKind::transformer);
  if (need != Need::text) want(PartKind::vae);
  if (need != Need::vae) {
    want(PartKind::text_encoder);
    if (parts.tokenizer.empty()) missing.push_back("tokenizer: give it by --tokenizer");
  }
  const auto transformer = parts.parts.find(PartKind::transformer);
  if (need == Need::render && transformer != parts.parts.end() &&
      wan::transformer_config_from_tensors(transformer->second.file->tensors()).image_dim > 0) {
    want(PartKind::image_encoder);
  }
  if (missing.empty()) return;
  throw Error(
      ErrorKind::config,
      c10::str("model ", printable(model, 400), " lacks ", missing.size(), missing.size() == 1 ? " part" : " parts"),
      missing);
}

}  // namespace

std::shared_ptr<ModelFiles> open_model(const RenderSettings& settings, Need need) {
  auto model = std::make_shared<ModelFiles>();
  model->parts = find_parts(settings, need);
  require_parts(model->parts, need, settings.model);
  if (need != Need::text) plan_vae(*model);
  if (need != Need::vae) {
    plan_text_encoder(*model);
    model->tokenizer = text::open_tokenizer(model->parts.tokenizer);
    check_tokenizer(*model);
  }
  const bool has_transformer = model->parts.parts.count(PartKind::transformer) > 0;
  if (has_transformer && need != Need::vae) plan_transformer(*model);
  if (need != Need::render) return model;
  if (model->transformer_config.image_dim > 0) plan_image_encoder(*model);
  check_fit(*model);
  model->variant =
      variant_of(model->transformer_config, model->transformer_config.image_dim > 0 ? model->image_config.tokens() : 0);
  return model;
}

wan::Vae load_vae(const ModelFiles& model, const Compute& compute) {
  weights::FileSource source(model.vae.file, model.vae.rename, compute.device);
  return wan::Vae(weights::Scope(source, compute), model.vae_config);
}

t5::Encoder load_text_encoder(const ModelFiles& model, const Compute& compute) {
  return t5::load_encoder(model.text_encoder.file, model.text_config, compute);
}

clip::VisionTower load_image_encoder(const ModelFiles& model, const Compute& compute) {
  return clip::load_vision(model.image_encoder.file, model.image_config, compute);
}

void release_pages(const Network& network) {
  if (!network.present()) return;
  // The mapping is private and nothing writes to it, so dropping its pages loses nothing.
  for (const auto& part : network.file->parts()) ::madvise(part.file->data(), part.file->size(), MADV_DONTNEED);
}

std::string first_bad_weight(const Network& network) {
  for (const auto& [name, shape] : network.plan.entries()) {
    const at::Tensor weight = network.file->read(network.rename(name).name);
    const at::Tensor finite = weight.to(at::kFloat).isfinite();
    if (finite.all().item<bool>()) continue;
    const int64_t bad = finite.logical_not().sum().item<int64_t>();
    return c10::str(printable(name), " holds ", bad, " values of ", weight.numel(), " that are NaN or infinite");
  }
  return "";
}

}  // namespace keyflow::pipeline
