#include "train/prepare.h"

#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include "core/error.h"
#include "core/interrupt.h"
#include "media/picture.h"
#include "media/resize.h"
#include "media/video_reader.h"
#include "text/tokenizer.h"
#include "train/captions.h"
#include "train/vocabulary.h"
#include "weights/tensor_file.h"

namespace keyflow::train {
namespace {

bool is_video(const std::filesystem::path& path) {
  static const std::set<std::string> endings{".mp4", ".mov", ".mkv", ".webm", ".avi", ".gif", ".apng"};
  std::string ending = path.extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(),
                 [](char c) { return static_cast<char>(std::tolower(c)); });
  return endings.count(ending) > 0;
}

/// [T, 3, size, size] uint8 with T = frames of a clip, or 1.
at::Tensor read_frames(const std::filesystem::path& path, const Preparation& options) {
  std::vector<at::Tensor> frames;
  if (is_video(path)) {
    const at::Tensor video = media::read_video(path).frames;  // [T, 3, H, W]
    const int64_t count = video.size(0);
    require(count >= options.frames, ErrorKind::config, printable(path.string(), 400), ": expected at least ",
            options.frames, " frames, found ", count);
    for (int64_t t = 0; t < options.frames; ++t) {
      frames.push_back(video[options.frames == 1 ? 0 : t * (count - 1) / (options.frames - 1)]);
    }
  } else {
    const at::Tensor picture = media::read_picture(path).rgb;  // [3, H, W]
    const bool strip = options.frames > 1 && picture.size(1) == options.frames * picture.size(2);
    const int64_t count = strip ? options.frames : 1, height = picture.size(1) / count;
    for (int64_t t = 0; t < count; ++t) frames.push_back(picture.narrow(1, t * height, height));
  }
  for (auto& frame : frames) frame = media::cover_crop_uint8(frame, options.size, options.size);
  return at::stack(frames);
}

struct Item {
  at::Tensor frames;
  Caption caption;
};

/// [N, V, L] int64, padded by the vocabulary's padding token.
at::Tensor tokenize(const std::vector<Item>& items, const text::Tokenizer& tokenizer, const Preparation& options) {
  const auto count = static_cast<int64_t>(items.size());
  at::Tensor ids = at::zeros({count, options.wordings, options.text_len}, at::kLong).fill_(tokenizer.pad_id());
  for (int64_t n = 0; n < count; ++n) {
    const auto wordings = items[static_cast<size_t>(n)].caption.wordings(static_cast<size_t>(options.wordings));
    for (int64_t v = 0; v < options.wordings; ++v) {
      const auto tokens = tokenizer.encode(wordings[static_cast<size_t>(v)], options.text_len).ids;
      ids[n][v].narrow(0, 0, static_cast<int64_t>(tokens.size())).copy_(at::tensor(tokens, at::kLong));
    }
  }
  return ids;
}

at::Tensor stacked(const std::vector<Item>& items, const std::vector<int64_t>& empty_shape) {
  if (items.empty()) return at::zeros(empty_shape, at::kByte);
  std::vector<at::Tensor> frames;
  for (const auto& item : items) frames.push_back(item.frames);
  return at::stack(frames);
}

/// Indexes spread evenly over the clips sorted by the names of their files.
std::vector<int64_t> keep_aside(const std::vector<Item>& clips, int64_t count) {
  require(count < static_cast<int64_t>(clips.size()), ErrorKind::usage, "--validation ", count,
          ": expected fewer than the ", clips.size(), " clips");
  std::vector<int64_t> order(clips.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int64_t>(i);
  std::sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    return clips[static_cast<size_t>(a)].caption.file.filename() <
           clips[static_cast<size_t>(b)].caption.file.filename();
  });
  std::vector<int64_t> kept;
  const auto total = static_cast<int64_t>(order.size());
  for (int64_t i = 0; i < count; ++i) kept.push_back(order[static_cast<size_t>((2 * i + 1) * total / (2 * count))]);
  std::sort(kept.begin(), kept.end());
  return kept;
}

}  // namespace

Prepared prepare(const Preparation& options) {
  std::vector<Item> clips, pictures;
  std::vector<std::string> corpus;
  for (const auto& folder : options.folders) {
    for (const auto& caption : read_captions(folder)) {
      throw_if_interrupted();
      Item item{read_frames(caption.file, options), caption};
      for (const auto& words : caption.wordings(static_cast<size_t>(options.wordings))) corpus.push_back(words);
      if (item.frames.size(0) > 1) {
        clips.push_back(std::move(item));
      } else {
        item.frames = item.frames[0];
        pictures.push_back(std::move(item));
      }
    }
  }
  require(!clips.empty(), ErrorKind::config, "expected at least one clip of ", options.frames,
          " frames, found none among ", pictures.size(),
          " pictures; hint: --frames says how many frames a strip holds");
  std::filesystem::create_directories(options.output / "tokenizer");
  const std::filesystem::path model = options.output / "tokenizer" / "spiece.model";
  train_vocabulary(corpus, options.vocabulary, model);
  const auto tokenizer = text::open_tokenizer(model);
  const std::vector<int64_t> validation = keep_aside(clips, options.validation);
  std::string names;
  for (const auto* items : {&clips, &pictures}) {
    for (const auto& item : *items) names += (names.empty() ? "" : "\n") + item.caption.name;
  }
  weights::save_safetensors(options.output / "data.safetensors",
                            {{"clips", stacked(clips, {})},
                             {"pictures", stacked(pictures, {0, 3, options.size, options.size})},
                             {"clip_tokens", tokenize(clips, *tokenizer, options)},
                             {"picture_tokens", tokenize(pictures, *tokenizer, options)},
                             {"validation", at::tensor(validation, at::kLong)}},
                            {{"names", names}, {"vocabulary", std::to_string(tokenizer->vocabulary())}});
  return {static_cast<int64_t>(clips.size()), static_cast<int64_t>(pictures.size()),
          static_cast<int64_t>(validation.size()), tokenizer->vocabulary()};
}

}  // namespace keyflow::train
