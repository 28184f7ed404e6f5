#include "weights/lora_set.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/shape.h"

namespace keyflow::weights {
namespace {

using Target = LoraIndex::Target;

constexpr size_t kNamesShown = 8;

/// "" where the matrices fit the layer.
std::string misfit(const LoraEntry& entry, const Adapter& adapter, const Target& target) {
  const int64_t rows = target.rows(), columns = c10::multiply_integers(target.shape) / target.shape[0];
  const auto differs = [&](int64_t out, int64_t in) {
    return out == rows && in == columns ? ""
                                        : c10::str(printable(entry.layer), ": ", target.name, ": model ", rows, " x ",
                                                   columns, ", file ", out, " x ", in);
  };
  // Full differences of norms and tables may have other dimensions of size one.
  const bool same_size = entry.kind == LoraKind::full && adapter.first.up.numel() == rows * columns;
  if (std::string text = differs(adapter.out(), adapter.columns()); !same_size && !text.empty()) return text;
  if (adapter.is_hadamard()) {
    if (std::string text = differs(adapter.second.rows(), adapter.second.columns()); !text.empty()) return text;
  }
  if (adapter.is_kronecker() && target.shape.size() > 1 && target.shape[1] % adapter.left.size(1) != 0) {
    return c10::str(printable(entry.layer), ": ", target.name, ": ", target.shape[1], " inputs do not cut into ",
                    adapter.left.size(1), " groups");
  }
  if (!adapter.magnitude.defined()) return "";
  if (target.shape.size() < 2) return printable(entry.layer) + ": DoRA of something that is no matrix";
  const int64_t lengths = adapter.magnitude.numel(), wanted = adapter.scales_columns() ? target.shape[1] : rows;
  if (lengths != wanted) return c10::str(printable(entry.layer), ": DoRA has ", lengths, " lengths for ", wanted);
  if (adapter.scales_columns() && target.parts > 1) {
    return printable(entry.layer) + ": DoRA over the columns of a layer that the model cuts is not supported";
  }
  return "";
}

Adapter for_target(const Adapter& whole, const Target& target) {
  if (target.parts == 1) return whole;
  const int64_t share = target.rows() / target.parts;
  return rows_of(whole, target.part * share, target.span * share);
}

double require_finite(double weight, const std::filesystem::path& path) {
  require(std::isfinite(weight), ErrorKind::usage, printable(path.string(), 400),
          ": the weight of a LoRA must be a finite number, found ", weight);
  return weight;
}

}  // namespace

LoraSet::LoraSet(const std::vector<LoraRequest>& requests) {
  for (const auto& request : requests) {
    const double weight = require_finite(request.weight, request.path);
    const double text_weight = require_finite(request.text_weight.value_or(weight), request.path);
    LoraFile file(open_tensors(request.path));
    const auto same =
        std::find_if(files_.begin(), files_.end(), [&](const Used& used) { return used.file.path() == file.path(); });
    if (same != files_.end()) {
      same->weight += weight;
      same->text_weight += text_weight;
      continue;
    }
    const size_t entries = file.entries().size();
    files_.push_back({std::move(file), weight, text_weight, std::vector<bool>(entries), {}});
  }
}

Overlay LoraSet::match(const LoraNames& names, const Plan& plan, LoraMode mode) {
  Overlay overlay(mode);
  const LoraIndex index(names, plan);
  for (auto& used : files_) {
    const double strength = names.text ? used.text_weight : used.weight;
    std::vector<std::string> problems;
    bool touched = false;
    for (size_t i = 0; i < used.matched.size(); ++i) {
      const LoraEntry& entry = used.file.entries()[i];
      const auto* targets = used.matched[i] ? nullptr : index.find(entry);
      if (targets == nullptr) continue;
      used.matched[i] = touched = true;
      Adapter adapter = used.file.read(entry);
      if (std::string text = misfit(entry, adapter, targets->front()); !text.empty()) {
        problems.push_back(text);
        continue;
      }
      if (strength == 0) continue;
      adapter.strength = strength;
      if (!adapter.magnitude.defined()) adapter.scale *= strength;
      for (const auto& target : *targets) overlay.add(target.name, for_target(adapter, target));
    }
    if (!problems.empty()) {
      throw Error(
          ErrorKind::weights,
          c10::str(printable(used.file.path().string(), 400), ": ", problems.size(), " of ", used.matched.size(),
                   " layers do not fit the ", names.network, "; hint: is this LoRA for another model?"),
          problems);
    }
    if (touched) used.networks.push_back(names.network);
  }
  return overlay;
}

std::vector<LoraReport> LoraSet::report() const {
  std::vector<LoraReport> reports;
  for (const auto& used : files_) {
    LoraReport report{used.file.path(), used.weight, used.text_weight, used.matched.size(), 0, {}, used.networks};
    for (size_t i = 0; i < used.matched.size(); ++i) {
      const LoraEntry& entry = used.file.entries()[i];
      if (used.matched[i]) {
        ++report.matched;
      } else {
        report.unmatched.push_back(entry.layer + (entry.bias ? " (bias)" : ""));
      }
    }
    report.unmatched.insert(report.unmatched.end(), used.file.others().begin(), used.file.others().end());
    reports.push_back(std::move(report));
  }
  return reports;
}

void LoraSet::require_matches(const std::function<std::string(const LoraFile&)>& family_of) const {
  for (const auto& used : files_) {
    if (std::find(used.matched.begin(), used.matched.end(), true) != used.matched.end()) continue;
    std::vector<std::string> names;
    for (const auto& entry : used.file.entries()) {
      if (names.size() == kNamesShown) break;
      names.push_back(printable(entry.layer));
    }
    const std::string family = family_of ? family_of(used.file) : "";
    throw Error(ErrorKind::weights,
                c10::str(printable(used.file.path().string(), 400), ": none of the ", used.matched.size(),
                         " layers of this LoRA belongs to the model",
                         names.size() < used.matched.size() ? c10::str("; the first ", names.size(), " follow") : "",
                         family.empty() ? "" : "; hint: it seems to be for " + family),
                names);
  }
}

}  // namespace keyflow::weights
