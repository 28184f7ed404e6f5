#pragma once
#include <string>
#include <string_view>

namespace keyflow::text {

/// Checks a serialised sentencepiece model before the library sees it, which aborts on some bad models and reads
/// outside its tables on others: every field in bounds, pieces that are text with finite scores, exactly one unknown
/// piece, a trainer and a normaliser section, sound character maps. throws Error::config, `where` in front source
/// sentencepiece@0.1.97:src/sentencepiece_model.proto
void check_sentencepiece_model(std::string_view bytes, const std::string& where);

}  // namespace keyflow::text
