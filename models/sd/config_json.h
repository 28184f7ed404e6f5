#pragma once
#include <string>
#include <vector>

#include "core/fields.h"
#include "models/sd/config.h"

namespace keyflow::sd {

/// Reads what the config.json of a U-Net and of a ControlNet state alike: everything up to the middle block.
class EncoderFields {
 public:
  /// Reads from `fields`, which stays open: the caller reads what is its own and calls finish() before settle().
  /// base: what holds for fields not stated
  EncoderFields(JsonFields& fields, const UNetConfig& base);

  /// The configuration these fields make together.
  /// Throws Error::config with `where` for lists of different lengths, Error::unsupported for levels of another kind.
  UNetConfig settle(const std::string& where) const;

 private:
  UNetConfig config_;
  std::vector<std::string> level_types_;
  std::vector<int64_t> depth_;
  std::string middle_;
  bool added_conditions_;
};

/// "CrossAttnDownBlock2D" or "DownBlock2D" for every level.
std::vector<std::string> down_block_types(const UNetConfig& config);
/// The same of the way up, coarsest level first.
std::vector<std::string> up_block_types(const UNetConfig& config);

/// What EncoderFields reads, as diffusers writes it.
nlohmann::json encoder_json(const UNetConfig& config);

}  // namespace keyflow::sd
