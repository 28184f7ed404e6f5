#pragma once
#include <string>
#include <string_view>

namespace keyflow::text {

/// Standard base64 with padding (RFC 4648 §4). Throws Error::config, `where` in front, for anything else.
std::string decode_base64(std::string_view text, const std::string& where);

}  // namespace keyflow::text
