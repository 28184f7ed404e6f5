#include "weights/plan.h"

#include <ATen/ops/empty.h>

#include "core/error.h"
#include "core/shape.h"

namespace keyflow::weights {
namespace {

std::vector<int64_t> without_ones(at::IntArrayRef shape) {
  std::vector<int64_t> kept;
  for (const auto size : shape) {
    if (size != 1) kept.push_back(size);
  }
  return kept;
}

std::string line(const std::string& name, at::IntArrayRef shape) { return printable(name) + " " + shape_text(shape); }

/// Where a name belongs in the file when the nearest existing name is a better guess than nothing.
std::string with_guess(const std::string& text, const std::string& guess) {
  return guess.empty() ? text : text + " (closest: " + printable(guess) + ")";
}

constexpr size_t kGuessLimit = 40;  // edit distances are quadratic; a wholly foreign file needs none

void add_section(std::vector<std::string>& items, const char* title, const std::vector<std::string>& lines) {
  for (const auto& text : lines) items.push_back(c10::str(title, "  ", text));
}

}  // namespace

FileName same_name(const std::string& name) { return {name}; }

at::Tensor Plan::get(const std::string& name, at::IntArrayRef shape, Init, int64_t) {
  entries_.emplace_back(name, shape.vec());
  return at::empty(shape, at::TensorOptions().dtype(at::kFloat).device(at::kMeta));
}

std::vector<TensorInfo> Plan::as_file(const Rename& rename) const {
  std::map<std::string, TensorInfo> joined;
  for (const auto& [name, shape] : entries_) {
    const FileName target = rename(name);
    TensorInfo whole{target.name, at::kFloat, shape};
    if (target.parts > 1) {
      require(shape[0] % target.span == 0, ErrorKind::internal, "plan: ", name, " ", shape_text(shape),
              " does not cut into ", target.span, " shares of ", target.name);
      whole.shape[0] = shape[0] / target.span * target.parts;
    }
    if (target.transposed) std::swap(whole.shape.at(0), whole.shape.at(1));
    const auto [place, fresh] = joined.emplace(target.name, whole);
    require(fresh || place->second.shape == whole.shape, ErrorKind::internal, "plan: ", name, " makes ", target.name,
            " ", shape_text(whole.shape), ", another part of it ", shape_text(place->second.shape));
  }
  std::vector<TensorInfo> list;
  for (auto& [name, info] : joined) list.push_back(std::move(info));
  return list;
}

Plan::Report Plan::compare(const std::vector<TensorInfo>& file, const Rename& rename, const Ignore& ignore) const {
  const std::vector<TensorInfo> wanted = as_file(rename);
  std::map<std::string, const TensorInfo*> present;
  for (const auto& info : file) present[info.name] = &info;
  std::vector<const TensorInfo*> missing;
  std::vector<std::string> missing_names, unexpected_names;
  std::set<std::string> known;
  Report report;
  for (const auto& info : wanted) {
    known.insert(info.name);
    const auto found = present.find(info.name);
    if (found == present.end()) {
      missing.push_back(&info);
      missing_names.push_back(info.name);
    } else if (without_ones(info.shape) != without_ones(found->second->shape)) {
      report.shape.push_back(printable(info.name) + ": model " + shape_text(info.shape) + ", file " +
                             shape_text(found->second->shape));
    } else if (!c10::isFloatingType(found->second->dtype)) {
      report.shape.push_back(printable(info.name) + ": model floating point, file " + dtype_name(found->second->dtype));
    }
  }
  std::vector<const TensorInfo*> unexpected;
  for (const auto& info : file) {
    if (known.count(info.name) || (ignore && ignore(info.name))) continue;
    unexpected.push_back(&info);
    unexpected_names.push_back(info.name);
  }
  const bool guess = missing.size() <= kGuessLimit && unexpected.size() <= kGuessLimit;
  for (const auto* info : missing) {
    report.missing.push_back(
        with_guess(line(info->name, info->shape), guess ? nearest(info->name, unexpected_names) : ""));
  }
  for (const auto* info : unexpected) {
    report.unexpected.push_back(
        with_guess(line(info->name, info->shape), guess ? nearest(info->name, missing_names) : ""));
  }
  return report;
}

void Plan::require_match(const TensorFile& file, const std::string& what, const Rename& rename,
                         const Ignore& ignore) const {
  const Report report = compare(file.tensors(), rename, ignore);
  if (report.matches()) return;
  std::vector<std::string> items;
  add_section(items, "missing   ", report.missing);
  add_section(items, "unexpected", report.unexpected);
  add_section(items, "shape     ", report.shape);
  throw Error(
      ErrorKind::weights,
      c10::str(printable(file.path().string(), 400), " does not fit ", what, "; ", report.missing.size(), " missing, ",
               report.unexpected.size(), " unexpected, ", report.shape.size(), " of another shape"),
      items);
}

FileSource::FileSource(std::shared_ptr<const TensorFile> file, Rename rename, at::Device device)
    : file_(std::move(file)), rename_(std::move(rename)), device_(device) {}

void FileSource::require_shape(const FileName& target, at::IntArrayRef found, at::IntArrayRef expected) const {
  require(without_ones(found) == without_ones(expected), ErrorKind::weights, printable(file_->path().string(), 400),
          ": ", printable(target.name), ": expected ", shape_text(expected), ", found ", shape_text(found));
}

/// The blocks of the model's share of a file's tensor; nothing where it has none or they cannot be cut so.
std::optional<Blocks> FileSource::packed_rows(const FileName& target) const {
  if (target.transposed) return std::nullopt;
  std::optional<Blocks> blocks = file_->blocks(target.name);
  if (!blocks || target.parts == 1) return blocks;
  const int64_t rows = blocks->rows() / target.parts, step = blocks->row_step();
  if (rows * target.part % step != 0 || rows * target.span % step != 0) return std::nullopt;
  return blocks->narrow(rows * target.part, rows * target.span);
}

at::Tensor FileSource::get(const std::string& name, at::IntArrayRef shape, Init, int64_t) {
  const FileName target = rename_(name);
  const TensorInfo* info = file_->find(target.name);
  const auto blocks = info != nullptr && info->packed() ? packed_rows(target) : std::nullopt;
  at::Tensor whole = blocks ? unpack(*blocks) : file_->read(target.name);
  if (target.transposed) whole = whole.t();
  if (target.parts > 1 && !blocks) {
    const int64_t rows = whole.size(0) / target.parts;
    whole = whole.narrow(0, target.part * rows, target.span * rows);
  }
  require_shape(target, whole.sizes(), shape);
  whole = whole.view(shape);
  return device_.is_cpu() ? whole : whole.to(device_);
}

StoredWeight FileSource::get_weight(const std::string& name, at::IntArrayRef shape, Init init, int64_t fan_in) {
  const FileName target = rename_(name);
  auto blocks = device_.is_cpu() ? packed_rows(target) : std::nullopt;
  if (!blocks || (blocks->scale.defined() && blocks->scale.numel() != 1 && blocks->rows() != shape[0])) {
    return {get(name, shape, init, fan_in)};
  }
  require_shape(target, blocks->shape, shape);
  blocks->shape = shape.vec();
  return {{}, *std::move(blocks)};
}

}  // namespace keyflow::weights
