#include <algorithm>
#include <cmath>

#include "core/files.h"
#include "media/gif_encoder.h"
#include "media/palette.h"
#include "media/sink_parts.h"

namespace keyflow::media {
namespace {

constexpr size_t kColours = 255;  // the last index is kGifTransparent

/// Every frame has a palette of its own, so that frames can be written as they arrive; pixels that equal the frame
/// before are left transparent.
class GifSink : public CheckedSink {
 public:
  GifSink(const Output& output, const SinkOptions& options) : CheckedSink(output, options), file_(output.path) {
    put(make_gif_head(options.width, options.height, options.frames > 1, options.settings_json));
  }

 protected:
  void write_frame(const at::Tensor& rgb, int64_t index) override {
    const uint8_t* now = rgb.const_data_ptr<uint8_t>();
    const uint8_t* before = index > 0 ? previous_.const_data_ptr<uint8_t>() : nullptr;
    const std::vector<bool> changed = changes(now, before);
    const Rectangle place = bounds(changed);
    NearestColour nearest(make_palette(now, area(), kColours));
    const std::vector<uint8_t> indices = dither(now, changed, place, nearest);
    put(make_gif_frame(place, indices, nearest.palette(), delay_cs(index)));
    previous_ = rgb.clone();
  }

  void complete() override {
    put(std::string(1, kGifTrailer));
    file_.commit();
  }

 private:
  int64_t area() const { return options_.width * options_.height; }

  void put(const std::string& bytes) { file_.write(bytes.data(), bytes.size()); }

  /// Rounded so that the errors do not add up: frame k ends at round((k + 1) / fps).
  int delay_cs(int64_t index) const {
    const auto end_cs = [&](int64_t k) { return std::lround(static_cast<double>(k) * 100 / options_.fps); };
    return static_cast<int>(end_cs(index + 1) - end_cs(index));
  }

  std::vector<bool> changes(const uint8_t* now, const uint8_t* before) const {
    std::vector<bool> changed(static_cast<size_t>(area()), before == nullptr);
    for (int64_t i = 0; before && i < area(); ++i) {
      for (int64_t c = 0; c < 3; ++c) {
        if (now[c * area() + i] != before[c * area() + i]) changed[static_cast<size_t>(i)] = true;
      }
    }
    return changed;
  }

  /// The smallest rectangle around all changes; one pixel when there are none.
  Rectangle bounds(const std::vector<bool>& changed) const {
    int64_t left = options_.width, right = -1, top = options_.height, bottom = -1;
    for (int64_t i = 0; i < area(); ++i) {
      if (!changed[static_cast<size_t>(i)]) continue;
      const int64_t x = i % options_.width, y = i / options_.width;
      left = std::min(left, x);
      right = std::max(right, x);
      top = std::min(top, y);
      bottom = y;
    }
    if (right < 0) return {0, 0, 1, 1};
    return {left, top, right - left + 1, bottom - top + 1};
  }

  /// Error diffusion after Floyd and Steinberg (1976), left to right.
  std::vector<uint8_t> dither(const uint8_t* now, const std::vector<bool>& changed, const Rectangle& place,
                              NearestColour& nearest) const {
    std::vector<uint8_t> indices;
    const auto row_errors = static_cast<size_t>(place.width + 2);
    std::vector<Colour> here(row_errors, Colour{}), below(row_errors, Colour{});  // in sixteenths
    for (int64_t y = place.top; y < place.top + place.height; ++y) {
      for (int64_t x = place.left; x < place.left + place.width; ++x) {
        const int64_t i = y * options_.width + x;
        if (!changed[static_cast<size_t>(i)]) {
          indices.push_back(kGifTransparent);
          continue;
        }
        const auto column = static_cast<size_t>(x - place.left + 1);
        Colour wanted;
        for (size_t c = 0; c < 3; ++c) {
          const int32_t source = now[static_cast<int64_t>(c) * area() + i];
          wanted[c] = std::clamp(source + (here[column][c] + 8) / 16, 0, 255);
        }
        const size_t index = nearest(wanted);
        indices.push_back(static_cast<uint8_t>(index));
        for (size_t c = 0; c < 3; ++c) {
          const int32_t error = wanted[c] - nearest.palette()[index][c];
          here[column + 1][c] += 7 * error;
          below[column - 1][c] += 3 * error;
          below[column][c] += 5 * error;
          below[column + 1][c] += error;
        }
      }
      here.swap(below);
      std::fill(below.begin(), below.end(), Colour{});
    }
    return indices;
  }

  AtomicFile file_;
  at::Tensor previous_;
};

}  // namespace

std::unique_ptr<FrameSink> make_gif_sink(const Output& output, const SinkOptions& options) {
  return std::make_unique<GifSink>(output, options);
}

}  // namespace keyflow::media
