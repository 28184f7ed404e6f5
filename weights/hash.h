#pragma once
#include <filesystem>
#include <string>

#include "weights/tensor_file.h"

namespace keyflow::weights {

/// SHA-256 of a whole file, 64 hexadecimal digits; reads every byte. Throws Error::io.
std::string file_sha256(const std::filesystem::path& path);

/// A fingerprint of a checkpoint in milliseconds: SHA-256 over the size and the header of each of its files, in the
/// order of their names, and over 16 evenly spread samples of 4 KiB of its data. It tells checkpoints apart, fine-tunes
/// of one network too; it does not prove that no byte differs.
std::string model_hash(const TensorFile& file);

}  // namespace keyflow::weights
