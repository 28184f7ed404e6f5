#pragma once
#include <c10/core/ScalarType.h>

#include <optional>
#include <string>
#include <string_view>

namespace keyflow::weights {

/// "F32", "BF16", "F8_E4M3" ... -> type; nullopt for a name that the format or ATen lacks.
std::optional<at::ScalarType> dtype_from_safetensors(std::string_view name);

/// The format's name of a type; "" where it has none.
std::string safetensors_name(at::ScalarType type);

/// "BOOL, U8, ...", for messages.
std::string safetensors_names();

}  // namespace keyflow::weights
