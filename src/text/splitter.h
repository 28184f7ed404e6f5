#pragma once
#include <functional>
#include <nlohmann/json_fwd.hpp>

#include "text/glyphs.h"
#include "text/json_fields.h"

// How a tokenizer divides a text into the words that its model sees one by one.
// source tokenizers@0.23: tokenizers/src/pre_tokenizers
namespace keyflow::text {

using Splitter = std::function<std::vector<Glyphs>(std::vector<Glyphs>)>;

/// The "pre_tokenizer" of a tokenizer.json; null leaves the text whole. Types: Sequence, WhitespaceSplit, Metaspace,
/// and CLIP's Split with its ByteLevel. Throws Error::unsupported for others.
Splitter read_splitter(const nlohmann::json& json, const JsonPlace& place);

/// Words, single digits and punctuation, each byte of them spelt as a printable character.
/// source transformers@5.23.0:models/clip/tokenization_clip.py
Splitter clip_splitter();

/// The character that stands for a byte in byte-level vocabularies.
/// source openai/CLIP@d05afc4:clip/simple_tokenizer.py bytes_to_unicode
char32_t byte_character(unsigned char byte);

}  // namespace keyflow::text
