#include "pipeline/model_files.h"

#include <sys/mman.h>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/json.h"
#include "models/clip/vision_load.h"
#include "models/wan/transformer_load.h"

namespace keyflow::pipeline {

using models::Part;
namespace {

std::string quoted(const std::filesystem::path& path) { return printable(path.string(), 400); }

/// Opens a part of the model: what it is was checked when the parts were found.
const PartFile& plan_network(ModelFiles& model, Part part, Network& network) {
  const PartFile& found = model.parts.parts.at(part);
  const models::NetworkType& type = *models::type_of(found.file->tensors());
  models::Description description = type.describe(*found.file, found.config);
  description.plan.require_match(*found.file, std::string(type.title), description.rename, description.ignore);
  network = {found.file, std::move(description.plan), std::move(description.rename)};
  return found;
}

void plan_transformer(ModelFiles& model) {
  const PartFile& found = plan_network(model, Part::transformer, model.transformer);
  model.transformer_config = wan::transformer_config(*found.file, found.config);
}

void plan_vae(ModelFiles& model) {
  const PartFile& found = plan_network(model, Part::vae, model.vae);
  model.vae_config = found.config.empty() ? wan::vae_config_from_tensors(found.file->tensors())
                                          : wan::vae_config_from_json(found.config);
}

void plan_text_encoder(ModelFiles& model) {
  const PartFile& found = plan_network(model, Part::text_encoder, model.text_encoder);
  model.text_config = found.config.empty()
                          ? t5::encoder_config_from_tensors(found.file->tensors())
                          : t5::encoder_config_from_json(read_json(found.config), quoted(found.config));
}

void plan_image_encoder(ModelFiles& model) {
  const PartFile& found = plan_network(model, Part::image_encoder, model.image_encoder);
  model.image_config = clip::vision_config(*found.file, found.config);
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
  const auto want = [&](Part part) {
    if (parts.parts.count(part) == 0) missing.push_back(c10::str(name_of(part), ": give it by ", option_of(part)));
  };
  if (need == Need::render) want(Part::transformer);
  if (need != Need::text) want(Part::vae);
  if (need != Need::vae) {
    want(Part::text_encoder);
    if (parts.tokenizer.empty()) missing.push_back("tokenizer: give it by --tokenizer");
  }
  const auto transformer = parts.parts.find(Part::transformer);
  if (need == Need::render && transformer != parts.parts.end() &&
      wan::transformer_config_from_tensors(transformer->second.file->tensors()).image_dim > 0) {
    want(Part::image_encoder);
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
  const bool has_transformer = model->parts.parts.count(Part::transformer) > 0;
  if (has_transformer && need != Need::vae) plan_transformer(*model);
  if (need != Need::render) return model;
  if (model->transformer_config.image_dim > 0) plan_image_encoder(*model);
  check_fit(*model);
  model->variant = wan::variant_of(model->transformer_config,
                                   model->transformer_config.image_dim > 0 ? model->image_config.tokens() : 0);
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
