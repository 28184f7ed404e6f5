#include <nlohmann/json.hpp>

#include "core/json.h"
#include "text/bpe.h"
#include "text/token_pipeline.h"
#include "text/tokenizer_config.h"
#include "text/tokenizer_files.h"
#include "text/unigram.h"

namespace keyflow::text {
namespace {

using nlohmann::json;

std::unique_ptr<TokenModel> read_model(const json& object, const JsonPlace& place) {
  // Files of old versions leave the type of a BPE model out.
  const std::string type = string_member(object, "type", place, "BPE");
  if (type == "Unigram") return read_unigram(object, place);
  if (type == "BPE") return read_bpe(object, place);
  fail(ErrorKind::unsupported, place.text(), ": type \"", printable(type), "\"; supported are Unigram and BPE");
}

AddedTokens read_added_tokens(const json& object, const JsonPlace& place) {
  std::vector<AddedToken> added;
  if (object.contains("added_tokens")) {
    const JsonPlace list = place / "added_tokens";
    for (const auto& entry : array_member(object, "added_tokens", place)) {
      added.push_back(read_added_token(entry, id_member(entry, "id", list), list));
    }
  }
  return AddedTokens(std::move(added));
}

}  // namespace

std::shared_ptr<Tokenizer> open_tokenizer_json(const std::filesystem::path& path) {
  const JsonPlace place{printable(path.string(), 400), ""};
  const json object = read_json(path);
  const auto section = [&](const char* key) { return object.value(key, json()); };
  TokenPipeline pipeline;
  pipeline.model = read_model(object_member(object, "model", place), place / "model");
  pipeline.added = read_added_tokens(object, place);
  pipeline.normalize = read_normalizer(section("normalizer"), place / "normalizer");
  pipeline.split = read_splitter(section("pre_tokenizer"), place / "pre_tokenizer");
  pipeline.frame = read_token_frame(section("post_processor"), place / "post_processor");
  pipeline.pad = find_pad(pipeline, read_tokenizer_config(path.parent_path()).pad_token, place);
  pipeline.kind = dynamic_cast<const Unigram*>(pipeline.model.get()) ? "unigram" : "clip bpe";
  return make_tokenizer(std::move(pipeline));
}

}  // namespace keyflow::text
