#include "pipeline/model.h"

#include "core/error.h"
#include "models/lora_family.h"
#include "models/taesd/tiny_load.h"
#include "pipeline/families/families.h"

namespace keyflow::pipeline {

using models::Part;
namespace {

std::string quoted(const std::filesystem::path& path) { return printable(path.string(), 400); }

/// Distilled from a KL autoencoder: one picture at a time, whole.
class TinyCodec final : public Codec {
 public:
  explicit TinyCodec(taesd::Decoder decoder) : decoder_(std::move(decoder)) {}
  at::Tensor encode(int64_t, const FrameSource&, int64_t, const at::Tensor&) const override {
    fail(ErrorKind::internal, "the tiny VAE only decodes");
  }
  void decode(const at::Tensor& latents, const FrameSink& sink, int64_t) const override {
    sink(decoder_(latents.squeeze(2)).unsqueeze(2));
  }

 private:
  taesd::Decoder decoder_;
};

/// The part that tells which family a model belongs to.
const PartFile* telling_part(const ModelParts& parts) {
  for (const Part part : {Part::denoiser, Part::vae, Part::t5_encoder, Part::text_encoder, Part::text_encoder_2}) {
    const auto found = parts.parts.find(part);
    if (found != parts.parts.end()) return &found->second;
  }
  return nullptr;
}

}  // namespace

PictureEncoder Model::load_picture_encoder(const Compute&) const {
  fail(ErrorKind::internal, facts_.variant, " has no picture encoder");
}

at::Tensor Model::masked_channels(const at::Tensor&, const at::Tensor&) const {
  fail(ErrorKind::internal, facts_.variant, " takes no masked picture");
}

void Model::match_loras(Part part, const weights::LoraNames& names) {
  Network& network = networks_.at(part);
  network.lora = parts_.loras.match(names, network.plan, parts_.lora_mode);
}

void Model::require_matched_loras() { parts_.loras.require_matches(models::lora_family); }

std::vector<std::string> Model::lora_notes() const {
  std::vector<std::string> notes;
  for (const auto& report : parts_.loras.report()) {
    std::string networks;
    for (const auto& name : report.networks) networks += (networks.empty() ? "" : ", ") + name;
    std::string note = c10::str("LoRA ", printable(report.path.filename().string(), 200), ": ", report.matched, " of ",
                                report.entries, " layers matched (", networks, ")");
    constexpr size_t kShown = 5;
    for (size_t i = 0; i < report.unmatched.size() && i < kShown; ++i) {
      note += (i == 0 ? "; nothing here takes " : ", ") + printable(report.unmatched[i]);
    }
    if (report.unmatched.size() > kShown) note += c10::str(" and ", report.unmatched.size() - kShown, " more");
    notes.push_back(note);
  }
  return notes;
}

void Model::add_tiny_vae() {
  if (!parts_.has(Part::tiny_vae)) return;
  const auto& tensors = add_network(Part::tiny_vae).file()->tensors();
  const auto keys = taesd::tiny_keys(tensors, taesd::Half::decoder);
  require(keys.has_value(), ErrorKind::config, "the tiny VAE ", quoted(parts_.parts.at(Part::tiny_vae).file->path()),
          ": expected a decoder, found an encoder alone");
  const taesd::TinyConfig config = taesd::tiny_config_from_tensors(tensors, *keys);
  require_fit(Part::tiny_vae, config.latent_channels, facts_.latent_channels, "latent channels",
              "TAESD for SD 1 and 2, TAESDXL, TAESD3 or TAEF1, by --taesd");
  require_fit(Part::tiny_vae, config.stride(), facts_.stride, "pixels along a latent position", "another --taesd");
}

std::unique_ptr<Codec> Model::load_tiny_codec(const Compute& compute) const {
  return std::make_unique<TinyCodec>(taesd::load_decoder(network(Part::tiny_vae).file(), compute));
}

void Model::add_control_nets() {
  for (const auto& part : parts_.control_nets) control_nets_.push_back(plan_network(part));
}

const Network& Model::add_network(Part part) { return networks_[part] = plan_network(parts_.parts.at(part)); }

std::shared_ptr<const text::Tokenizer> Model::open_tokenizer_of(Part part, int64_t vocabulary) const {
  const std::filesystem::path& path = parts_.tokenizers.at(part);
  auto tokenizer = text::open_tokenizer(path);
  require(tokenizer->vocabulary() <= vocabulary, ErrorKind::config, "the tokenizer ", quoted(path), " has ",
          tokenizer->vocabulary(), " ids, the ", name_of(part), " only ", vocabulary);
  return tokenizer;
}

void Model::require_fit(Part part, int64_t has, int64_t wants, const char* of, const std::string& hint) const {
  require(has == wants, ErrorKind::config, "the ", name_of(part), " has ", has, " ", of, ", the ",
          name_of(Part::denoiser), " ", quoted(network(Part::denoiser).file()->path()), " wants ", wants,
          "; hint: ", hint);
}

std::vector<AbsentPart> absent_parts(const ModelParts& parts, Need need) {
  std::vector<AbsentPart> absent;
  const auto lack = [&](Part part) { absent.push_back({std::string(name_of(part)), std::string(option_of(part))}); };
  const PartFile* telling = telling_part(parts);
  if (telling == nullptr) {
    lack(Part::denoiser);
    return absent;
  }
  const std::vector<Part> wanted = wanted_parts(telling->type->family, parts, need);
  for (const Part part : wanted) {
    if (!parts.has(part)) lack(part);
  }
  for (const Part part : wanted) {
    const bool is_text = part == Part::t5_encoder || part == Part::text_encoder || part == Part::text_encoder_2;
    if (is_text && parts.tokenizers.count(part) == 0) {
      absent.push_back(
          {part == Part::t5_encoder ? "tokenizer" : "tokenizer of the " + std::string(name_of(part)), "--tokenizer"});
    }
  }
  return absent;
}

std::shared_ptr<Model> open_model(const RenderSettings& settings, Need need) {
  ModelParts parts = find_parts(settings, need);
  const std::vector<AbsentPart> absent = absent_parts(parts, need);
  if (!absent.empty()) {
    std::vector<std::string> lines;
    for (const auto& part : absent) lines.push_back(part.name + ": give it by " + part.option);
    throw Error(ErrorKind::config,
                c10::str("model ", printable(settings.model, 400), " lacks ", absent.size(),
                         absent.size() == 1 ? " part" : " parts"),
                lines);
  }
  const std::string family(telling_part(parts)->type->family);
  return open_family(family, std::move(parts), need);
}

double converted_bytes(const Network& network, at::ScalarType compute) {
  const auto size = [](at::ScalarType type) { return static_cast<double>(c10::elementSize(type)); };
  double bytes = 0;
  // Converted once, because their kernel's type takes no more room than the file's.
  for (const auto& [name, shape] : network.plan.entries()) {
    const auto* info = network.file()->find(network.rename(name).name);
    if (info == nullptr || info->packed() || info->dtype == compute || size(compute) > size(info->dtype)) continue;
    double count = 1;
    for (const int64_t dimension : shape) count *= static_cast<double>(dimension);
    bytes += count * size(compute);
  }
  return bytes;
}

}  // namespace keyflow::pipeline
