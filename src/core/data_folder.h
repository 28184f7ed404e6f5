#pragma once
#include <filesystem>

namespace keyflow {

/// The folder that holds `configs/` and `weights/mini/`: `../share/keyflow` beside the running program's folder (an
/// installed keyflow, wherever it was moved), else the source tree this library was compiled from, else the
/// `share/keyflow` it was configured to be installed to. Throws Error::io, naming all three, when none has `configs/`.
std::filesystem::path data_folder();

}  // namespace keyflow
