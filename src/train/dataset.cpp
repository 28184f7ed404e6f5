#include "train/dataset.h"

#include <charconv>
#include <sstream>

#include "core/compute.h"
#include "core/error.h"
#include "core/shape.h"
#include "weights/tensor_file.h"

namespace keyflow::train {

Dataset open_dataset(const std::filesystem::path& path) {
  const auto file = weights::open_tensors(path);
  const auto read = [&](const char* name, at::ScalarType type, int64_t rank) {
    const auto* info = file->find(name);
    require(info && info->dtype == type && static_cast<int64_t>(info->shape.size()) == rank, ErrorKind::weights,
            printable(path.string(), 400), ": ", name, ": expected ", rank, " dimensions of ", dtype_name(type),
            ", found ", info ? shape_text(info->shape) + " of " + dtype_name(info->dtype) : "no such tensor",
            "; hint: `keyflow train prepare` makes this file");
    return file->read(name);
  };
  Dataset data;
  data.clips = read("clips", at::kByte, 5);
  data.pictures = read("pictures", at::kByte, 4);
  data.clip_tokens = read("clip_tokens", at::kLong, 3);
  data.picture_tokens = read("picture_tokens", at::kLong, 3);
  const at::Tensor kept_aside = read("validation", at::kLong, 1);
  const int64_t N = data.clips.size(0);
  require(data.clip_tokens.size(0) == N && data.picture_tokens.size(0) == data.pictures.size(0), ErrorKind::weights,
          printable(path.string(), 400), ": expected one row of tokens for each clip and picture, found ",
          data.clip_tokens.size(0), " for ", N, " and ", data.picture_tokens.size(0), " for ", data.pictures.size(0));
  std::set<int64_t> aside;
  for (int64_t i = 0; i < kept_aside.size(0); ++i) aside.insert(kept_aside[i].item<int64_t>());
  for (int64_t i = 0; i < N; ++i) (aside.count(i) ? data.validation : data.training).push_back(i);
  require(!data.training.empty(), ErrorKind::weights, printable(path.string(), 400), ": no clip is left to train on");
  const auto names = file->metadata().find("names");
  if (names != file->metadata().end()) {
    std::istringstream lines(names->second);
    for (std::string line; std::getline(lines, line);) data.names.push_back(line);
  }
  const auto vocabulary = file->metadata().find("vocabulary");
  if (vocabulary != file->metadata().end()) {
    const std::string& text = vocabulary->second;
    std::from_chars(text.data(), text.data() + text.size(), data.vocabulary);
  }
  return data;
}

at::Tensor to_float(const at::Tensor& bytes) { return bytes.to(at::kFloat).div_(127.5).sub_(1.0); }

}  // namespace keyflow::train
