#include "pipeline/latents_file.h"

#include <ATen/ops/isfinite.h>
#include <ATen/ops/nonzero.h>

#include "core/error.h"
#include "core/shape.h"
#include "weights/tensor_file.h"

namespace keyflow::pipeline {
namespace {

constexpr const char* kPrefix = "latents.";
constexpr const char* kSettings = "keyflow";

void require_finite(const at::Tensor& latents, const std::string& where) {
  const at::Tensor bad = at::nonzero(at::isfinite(latents).logical_not());  // [N, rank]
  if (bad.size(0) == 0) return;
  const at::Tensor index = bad[0].contiguous();
  fail(ErrorKind::numeric, where, ": value at index ",
       shape_text({index.data_ptr<int64_t>(), static_cast<size_t>(index.numel())}), " is not finite; ", bad.size(0),
       " of ", latents.numel(), " are not");
}

/// [Z, T, H, W] or [1, Z, T, H, W] -> [1, Z, T, H, W] float32, owned.
at::Tensor as_latents(const at::Tensor& stored, const std::string& where) {
  require(c10::isFloatingType(stored.scalar_type()), ErrorKind::weights, where, ": expected floating point, found ",
          dtype_name(stored.scalar_type()));
  const bool batched = stored.dim() == 5 && stored.size(0) == 1;
  require((batched || stored.dim() == 4) && stored.numel() > 0, ErrorKind::weights, where,
          ": expected latents [1, Z, T, H, W] or [Z, T, H, W], found ", shape_text(stored.sizes()));
  at::Tensor latents = stored.to(at::kFloat).clone();
  if (!batched) latents = latents.unsqueeze(0);
  require_finite(latents, where);
  return latents;
}

}  // namespace

void save_latents(const std::filesystem::path& path, const LatentsFile& latents) {
  std::vector<std::pair<std::string, at::Tensor>> tensors;
  for (size_t k = 0; k < latents.segments.size(); ++k) {
    tensors.emplace_back(kPrefix + std::to_string(k), latents.segments[k].contiguous());
  }
  std::map<std::string, std::string> metadata;
  if (!latents.settings.empty()) metadata[kSettings] = latents.settings;
  weights::save_safetensors(path, tensors, metadata);
}

LatentsFile load_latents(const std::filesystem::path& path) {
  const auto file = weights::open_tensors(path);
  const auto where = [&](const std::string& name) {
    return printable(path.string(), 400) + ": \"" + printable(name) + "\"";
  };
  LatentsFile result;
  if (file->find("latents.0") == nullptr) {
    require(file->tensors().size() == 1, ErrorKind::weights, printable(path.string(), 400),
            ": expected latents.0, latents.1, ... or one tensor of any name, found ", file->tensors().size(),
            " tensors");
    const std::string& name = file->tensors().front().name;
    result.segments.push_back(as_latents(file->read(name), where(name)));
  } else {
    for (size_t k = 0; k < file->tensors().size(); ++k) {
      const std::string name = kPrefix + std::to_string(k);
      require(file->find(name) != nullptr, ErrorKind::weights, where(name), ": missing among ", file->tensors().size(),
              " tensors");
      result.segments.push_back(as_latents(file->read(name), where(name)));
    }
  }
  const auto settings = file->metadata().find(kSettings);
  if (settings != file->metadata().end()) result.settings = settings->second;
  return result;
}

}  // namespace keyflow::pipeline
