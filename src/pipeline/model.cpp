#include "pipeline/model.h"

#include "core/error.h"
#include "pipeline/families/families.h"

namespace keyflow::pipeline {

using models::Part;
namespace {

std::string quoted(const std::filesystem::path& path) { return printable(path.string(), 400); }

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
  for (const auto& info : network.file()->tensors()) {
    if (info.dtype != compute && size(compute) <= size(info.dtype)) {
      bytes += static_cast<double>(info.numel()) * size(compute);
    }
  }
  return bytes;
}

}  // namespace keyflow::pipeline
