#pragma once
#include <map>
#include <string>

#include "core/error.h"
#include "weights/plan.h"

namespace keyflow::tests {

/// Fresh weights of whatever `make` builds on a scope, to be changed by hand where a test wants it.
class HeldSource final : public weights::Source {
 public:
  template <class Make>
  explicit HeldSource(Make&& make, at::ScalarType type = at::kFloat) {
    weights::InitSource init(3);
    make(weights::Scope(init, {}));
    for (const auto& [name, tensor] : init.named()) tensors[name] = tensor.detach().to(type);
  }
  at::Tensor get(const std::string& name, at::IntArrayRef, weights::Init, int64_t) override { return tensors.at(name); }
  std::map<std::string, at::Tensor> tensors;
};

/// The kind of Error that `call` throws; internal where it throws none.
template <class Call>
ErrorKind kind_of(Call&& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.kind();
  }
  return ErrorKind::internal;
}

}  // namespace keyflow::tests
