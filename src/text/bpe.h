#pragma once
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <unordered_map>
#include <vector>

#include "text/json_fields.h"
#include "text/token_model.h"

namespace keyflow::text {

/// Byte-pair encoding: the characters of a word, the last one marked, merged pair by pair, the earliest rule first.
/// source tokenizers@0.23: tokenizers/src/models/bpe; Sennrich 2016 (1508.07909)
class Bpe final : public TokenModel {
 public:
  using Vocabulary = std::unordered_map<std::string, int64_t>;
  struct Merge {
    std::string left, right;
    std::string where;  ///< for messages: "line 17"
  };
  /// suffix   what marks the last character of a word ("</w>")
  /// unknown  the token of characters that have none
  Bpe(Vocabulary vocabulary, const std::vector<Merge>& merges, std::string suffix, const std::string& unknown,
      const JsonPlace& place);

  void tokenize(const Glyphs& word, std::vector<Token>& out) const override;
  std::optional<int64_t> id_of(const std::string& piece) const override;
  int64_t size() const override { return static_cast<int64_t>(pieces_.size()); }

 private:
  struct Rule {
    uint32_t rank;
    int64_t id;
  };
  /// Symbols of the word being merged form a list; an absorbed one has id -1.
  struct Symbol {
    int64_t id;
    uint32_t at;
    size_t previous, next;
  };
  const Rule* rule(const std::vector<Symbol>& symbols, size_t left) const;
  void merge(std::vector<Symbol>& symbols) const;

  Vocabulary vocabulary_;
  std::vector<std::string> pieces_;
  std::unordered_map<uint64_t, Rule> rules_;
  std::string suffix_;
  int64_t unknown_;
};

/// The "vocab" object of a BPE vocabulary: pieces to ids, none twice.
Bpe::Vocabulary read_vocabulary(const nlohmann::json& json, const JsonPlace& place);

/// The "model" of a tokenizer.json of type BPE.
std::unique_ptr<TokenModel> read_bpe(const nlohmann::json& json, const JsonPlace& place);

}  // namespace keyflow::text
