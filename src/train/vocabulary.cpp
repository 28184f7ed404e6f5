#include "train/vocabulary.h"

#include <sentencepiece_trainer.h>

#include <unordered_map>

#include "core/error.h"
#include "core/files.h"

namespace keyflow::train {
namespace {

class Sentences final : public sentencepiece::SentenceIterator {
 public:
  explicit Sentences(const std::vector<std::string>& lines) : lines_(lines) {}
  bool done() const override { return next_ == lines_.size(); }
  void Next() override { ++next_; }
  const std::string& value() const override { return lines_[next_]; }
  sentencepiece::util::Status status() const override { return {}; }

 private:
  const std::vector<std::string>& lines_;
  size_t next_ = 0;
};

}  // namespace

void train_vocabulary(const std::vector<std::string>& corpus, int64_t pieces, const std::filesystem::path& path) {
  const std::unordered_map<std::string, std::string> arguments{{"model_type", "unigram"},
                                                               {"vocab_size", std::to_string(pieces)},
                                                               {"hard_vocab_limit", "false"},
                                                               {"character_coverage", "1.0"},
                                                               {"normalization_rule_name", "nmt_nfkc_cf"},
                                                               {"pad_id", "0"},
                                                               {"eos_id", "1"},
                                                               {"bos_id", "2"},
                                                               {"unk_id", "3"},
                                                               {"num_threads", "1"},
                                                               {"minloglevel", "2"}};
  std::string model;
  Sentences sentences(corpus);
  const auto status = sentencepiece::SentencePieceTrainer::Train(arguments, &sentences, &model);
  require(status.ok(), ErrorKind::config, "vocabulary of ", pieces, " pieces: ", printable(status.ToString(), 300));
  write_file(path, model);
}

}  // namespace keyflow::train
