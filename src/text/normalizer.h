#pragma once
#include <functional>
#include <nlohmann/json_fwd.hpp>

#include "text/glyphs.h"
#include "text/json_fields.h"

// What a tokenizer does to a text before splitting it.
// source tokenizers@0.23: tokenizers/src/normalizers
namespace keyflow::text {

using Normalizer = std::function<Glyphs(Glyphs)>;

/// The "normalizer" of a tokenizer.json; null leaves the text alone. Types: Sequence, Precompiled, NFC, NFKC,
/// Lowercase, Strip, and Replace of the patterns that T5 and CLIP use. Throws Error::unsupported for others.
Normalizer read_normalizer(const nlohmann::json& json, const JsonPlace& place);

/// NFC, runs of white space made one space, lower case.
/// source transformers@5.23.0:models/clip/tokenization_clip.py
Normalizer clip_normalizer();

}  // namespace keyflow::text
