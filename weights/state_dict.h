#pragma once
#include <map>
#include <string>

#include "weights/pickle.h"

namespace keyflow::weights {

/// Name -> index into Pickle::tensors.
using NamedTensors = std::map<std::string, size_t>;

/// The tensors of a pickle by name. A dict that keeps its weights under a customary key (state_dict, model_state,
/// params_ema ...) is opened and what stands beside them (optimizer, counters, settings) is left out; nested dicts
/// become "outer.inner"; a lone tensor is "tensor". Throws Error::weights if there are none, or one needs a class that
/// is not known here.
NamedTensors named_tensors(const Pickle& pickle, const std::string& where);

}  // namespace keyflow::weights
