#pragma once
#include <filesystem>
#include <memory>

#include "text/tokenizer.h"

namespace keyflow::text {

/// A tokenizer out of its tokenizer.json (tokenizers library): a Unigram or a BPE model and all that surrounds it. Keys
/// without influence on single unpadded texts: version, truncation, padding, decoder.
/// throws Error::config, Error::unsupported
std::shared_ptr<Tokenizer> open_tokenizer_json(const std::filesystem::path& path);

/// A CLIP tokenizer out of vocab.json and merges.txt.
/// throws Error::config naming the key or the line
/// source transformers@5.23.0:models/clip/tokenization_clip.py
std::shared_ptr<Tokenizer> open_clip_tokenizer(const std::filesystem::path& folder);

/// A tokenizer out of a sentencepiece model (unigram). Control pieces and the added tokens of a
/// tokenizer_config.json beside it are recognised in the text. The ids are the model's own: pad 0, eos 1, unk 2 in T5;
/// pad 0, eos 1, bos 2, unk 3 in umT5; sentinels follow the pieces, the highest first (T5 32000..32099, umT5
/// 256000..256299).
/// throws Error::config
std::shared_ptr<Tokenizer> open_sentencepiece(const std::filesystem::path& path);

}  // namespace keyflow::text
