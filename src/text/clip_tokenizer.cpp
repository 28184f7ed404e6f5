#include <nlohmann/json.hpp>

#include "core/files.h"
#include "core/json.h"
#include "text/bpe.h"
#include "text/token_pipeline.h"
#include "text/tokenizer_config.h"
#include "text/tokenizer_files.h"

namespace keyflow::text {
namespace {

constexpr std::string_view kStart = "<|startoftext|>", kEnd = "<|endoftext|>";
constexpr size_t kLongestLine = 4096;

/// Lines "left right" under an optional "#version" line; CRLF ends are as good as LF ones.
std::vector<Bpe::Merge> read_merges(const std::filesystem::path& path) {
  const std::string text = read_file(path, 64u << 20), file = printable(path.string(), 400);
  std::vector<Bpe::Merge> merges;
  size_t number = 0;
  for (size_t begin = 0, end = 0; begin < text.size(); begin = end + 1) {
    end = std::min(text.find('\n', begin), text.size());
    std::string_view line(text.data() + begin, end - begin);
    if (line.ends_with('\r')) line.remove_suffix(1);
    const std::string where = "line " + std::to_string(++number);
    require(line.size() <= kLongestLine, ErrorKind::config, file, ": ", where, ": expected at most ", kLongestLine,
            " bytes, found ", line.size());
    if (line.empty() || (number == 1 && line.starts_with("#version"))) continue;
    require(first_invalid_byte(line) == line.npos, ErrorKind::config, file, ": ", where, ": expected UTF-8, found \"",
            printable(line, 40), "\"");
    const size_t space = line.find(' ');
    const bool pair =
        space != line.npos && space > 0 && space + 1 < line.size() && line.find(' ', space + 1) == line.npos;
    require(pair, ErrorKind::config, file, ": ", where, ": expected two pieces with a space between, found \"",
            printable(line, 40), "\"");
    merges.push_back({std::string(line.substr(0, space)), std::string(line.substr(space + 1)), where});
  }
  require(!merges.empty(), ErrorKind::config, file, ": expected merges, found none");
  return merges;
}

}  // namespace

std::shared_ptr<Tokenizer> open_clip_tokenizer(const std::filesystem::path& folder) {
  const JsonPlace vocabulary{printable((folder / "vocab.json").string(), 400), ""};
  const JsonPlace merges{printable((folder / "merges.txt").string(), 400), ""};
  Bpe::Vocabulary pieces = read_vocabulary(read_json(folder / "vocab.json"), vocabulary);
  std::vector<AddedToken> frame;
  for (const auto name : {kStart, kEnd}) {
    const auto found = pieces.find(std::string(name));
    require(found != pieces.end(), ErrorKind::config, vocabulary.text(), ": missing key \"", name, "\"");
    frame.push_back({.content = std::string(name), .id = found->second});
  }
  TokenPipeline pipeline;
  pipeline.frame.before = {{frame[0].id, frame[0].content, 0}};
  pipeline.frame.after = {{frame[1].id, frame[1].content, 0}};
  pipeline.added = AddedTokens(std::move(frame));
  pipeline.normalize = clip_normalizer();
  pipeline.split = clip_splitter();
  pipeline.model =
      std::make_shared<Bpe>(std::move(pieces), read_merges(folder / "merges.txt"), "</w>", std::string(kEnd), merges);
  const std::string pad = read_tokenizer_config(folder).pad_token;
  pipeline.pad = find_pad(pipeline, pad.empty() ? std::string(kEnd) : pad, vocabulary);
  pipeline.kind = "clip bpe";
  return make_tokenizer(std::move(pipeline));
}

}  // namespace keyflow::text
