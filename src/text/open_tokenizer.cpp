#include "core/error.h"
#include "text/tokenizer.h"
#include "text/tokenizer_files.h"

namespace keyflow::text {
namespace {

namespace fs = std::filesystem;

/// The tokenizer whose files lie in this very folder, if any do.
std::shared_ptr<Tokenizer> open_in(const fs::path& folder) {
  if (fs::exists(folder / "vocab.json") && fs::exists(folder / "merges.txt")) return open_clip_tokenizer(folder);
  if (fs::exists(folder / "tokenizer.json")) return open_tokenizer_json(folder / "tokenizer.json");
  if (fs::exists(folder / "spiece.model")) return open_sentencepiece(folder / "spiece.model");
  return nullptr;
}

}  // namespace

std::shared_ptr<Tokenizer> open_tokenizer(const fs::path& path) {
  const std::string shown = printable(path.string(), 400);
  require(fs::exists(path), ErrorKind::io, shown, ": no such file or folder");
  if (!fs::is_directory(path)) {
    const std::string name = path.filename().string();
    if (name == "vocab.json" || name == "merges.txt") return open_clip_tokenizer(path.parent_path());
    return path.extension() == ".json" ? open_tokenizer_json(path) : open_sentencepiece(path);
  }
  for (const auto& folder : {path, path / "tokenizer", path / "google" / "umt5-xxl"}) {
    if (auto tokenizer = open_in(folder)) return tokenizer;
  }
  fail(ErrorKind::config, shown,
       ": no tokenizer; expected tokenizer.json, spiece.model, or vocab.json and merges.txt here,",
       " in tokenizer/ or in google/umt5-xxl/");
}

}  // namespace keyflow::text
