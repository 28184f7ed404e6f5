// Writes a checkpoint, opens it again, and asks what a layer would miss in it.
#include <ATen/ops/ones.h>

#include <iostream>

#include "models/layers/linear.h"
#include "weights/plan.h"

int main(int, char** arguments) {
  using namespace keyflow;
  weights::save_safetensors(arguments[1], {{"body.weight", at::ones({2, 3})}, {"head.weight", at::ones({4, 2})}});
  const auto file = weights::open_tensors(arguments[1]);
  const auto plan = weights::record([](const weights::Scope& w) {
    layers::Linear(w / "body", 3, 2, layers::Bias::no);
    layers::Linear(w / "head", 2, 4);
  });
  std::cout << file->tensors().size() << " tensors, missing";
  for (const auto& line : plan.compare(file->tensors()).missing) std::cout << ' ' << line;
  std::cout << '\n';
}
