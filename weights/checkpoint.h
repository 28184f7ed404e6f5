#pragma once
#include <functional>
#include <memory>

#include "weights/formats.h"
#include "weights/pickle.h"

namespace keyflow::weights {

/// Where a storage lies in the file.
struct Extent {
  uint64_t begin = 0, bytes = 0;
};

/// A TensorFile over a pickle whose storages `find` locates (it throws for one that is missing or too short). Every
/// named tensor is checked to lie inside its storage. `header` is the pickle's part of the file.
std::shared_ptr<TensorFile> make_checkpoint(std::shared_ptr<MappedFile> file, const Pickle& pickle, Extent header,
                                            const std::function<Extent(const PickleStorage&)>& find);

}  // namespace keyflow::weights
