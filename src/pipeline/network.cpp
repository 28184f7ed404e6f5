#include "pipeline/network.h"

#include <sys/mman.h>

#include "core/error.h"

namespace keyflow::pipeline {

Network plan_network(const PartFile& part) {
  models::Description description = part.type->describe(*part.file, part.index, part.config);
  description.plan.require_match(*part.file, std::string(part.type->title), description.rename, description.ignore);
  return {part, std::move(description.plan), std::move(description.rename), std::move(description.variant), {}};
}

void release_pages(const Network& network) {
  if (!network.present()) return;
  // The mapping is private and nothing writes to it, so dropping its pages loses nothing.
  for (const auto& part : network.file()->parts()) ::madvise(part.file->data(), part.file->size(), MADV_DONTNEED);
}

std::string first_bad_weight(const Network& network) {
  for (const auto& [name, shape] : network.plan.entries()) {
    const at::Tensor weight = network.file()->read(network.rename(name).name);
    const at::Tensor finite = weight.to(at::kFloat).isfinite();
    if (finite.all().item<bool>()) continue;
    const int64_t bad = finite.logical_not().sum().item<int64_t>();
    return c10::str(printable(name), " holds ", bad, " values of ", weight.numel(), " that are NaN or infinite");
  }
  return "";
}

}  // namespace keyflow::pipeline
