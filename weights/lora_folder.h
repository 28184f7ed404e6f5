#pragma once
#include <filesystem>
#include <string>

namespace keyflow::weights {

/// The file of a LoRA that a prompt calls by name: `folder`/NAME with one of .safetensors, .pt, .ckpt, .bin, .pth or
/// .gguf behind it, or the name itself where it has one of these. The name may lead into sub-folders, never out of the
/// folder.
///
/// throws Error::usage for a name that is empty, absolute or holds ".."; Error::io where no such file is there, with
///        the names near it
std::filesystem::path find_lora(const std::filesystem::path& folder, const std::string& name);

}  // namespace keyflow::weights
