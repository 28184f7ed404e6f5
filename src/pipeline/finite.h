#pragma once
#include <ATen/core/Tensor.h>

#include <string>

#include "core/error.h"

namespace keyflow::pipeline {

/// A result that is not a number: thrown by a stage, caught by the stage's owner, who repeats it in float32 or names
/// the cause.
class NotFinite : public Error {
 public:
  explicit NotFinite(const std::string& stage) : Error(ErrorKind::numeric, stage + ": not finite"), stage_(stage) {}
  const std::string& stage() const { return stage_; }

 private:
  std::string stage_;
};

bool all_finite(const at::Tensor& x);

/// Throws NotFinite(stage) unless every value of x is finite.
void require_finite(const at::Tensor& x, const std::string& stage);

}  // namespace keyflow::pipeline
