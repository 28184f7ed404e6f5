#include "models/autoencoder_kl/bands.h"

#include <ATen/ops/empty.h>

namespace keyflow::autoencoder_kl {
namespace {

/// A residual block sees two rows up and down; a band must not be smaller than what store() keeps waiting.
constexpr int64_t kResnetHalo = 2, kLeastRows = 4;

void for_each_band(const FeatureMap& map, BandSize band, const std::function<void(int64_t, int64_t)>& visit) {
  const int64_t step = band.rows(map.width());
  for (int64_t begin = 0; begin < map.height(); begin += step) visit(begin, std::min(map.height(), begin + step));
}

}  // namespace

int64_t BandSize::rows(int64_t width) const { return std::max(kLeastRows, positions / width); }

FeatureMap::FeatureMap(at::Tensor whole)
    : height_(whole.size(2)),
      width_(whole.size(3)),
      rows_([whole](int64_t begin, int64_t end) { return whole.narrow(2, begin, end - begin); }),
      whole_(whole) {}

const ops::ChannelMoments& FeatureMap::moments(BandSize band) const {
  if (!moments_) {
    ops::ChannelMoments gathered;
    for_each_band(*this, band, [&](int64_t begin, int64_t end) { gathered.add(rows(begin, end)); });
    moments_ = std::make_shared<ops::ChannelMoments>(gathered);
  }
  return *moments_;
}

FeatureMap store(const FeatureMap& map, BandSize band, at::Tensor over) {
  ops::ChannelMoments moments;
  at::Tensor waiting;
  int64_t waiting_begin = 0;
  const auto write = [&] {
    if (waiting.defined()) over.narrow(2, waiting_begin, waiting.size(2)).copy_(waiting);
  };
  for_each_band(map, band, [&](int64_t begin, int64_t end) {
    const at::Tensor made = map.rows(begin, end);  // [B, C, end - begin, W]
    moments.add(made);
    if (!over.defined()) {
      over = at::empty({made.size(0), made.size(1), map.height(), map.width()}, made.options(),
                       at::MemoryFormat::ChannelsLast);
    }
    write();
    waiting = made, waiting_begin = begin;
  });
  write();
  FeatureMap stored(over);
  stored.moments_ = std::make_shared<ops::ChannelMoments>(moments);
  return stored;
}

FeatureMap computed(const FeatureMap& x, int64_t halo, std::function<at::Tensor(const at::Tensor&)> operation) {
  return {x.height(), x.width(), [x, halo, operation](int64_t begin, int64_t end) {
            const int64_t first = std::max<int64_t>(0, begin - halo), last = std::min(x.height(), end + halo);
            // At the picture's edge the convolutions pad as ever; elsewhere their padded rows are cut off.
            return operation(x.rows(first, last)).narrow(2, begin - first, end - begin);
          }};
}

FeatureMap computed(const FeatureMap& x, const Upsample& upsample) {
  return {2 * x.height(), 2 * x.width(), [x, &upsample](int64_t begin, int64_t end) {
            const int64_t first = std::max<int64_t>(0, begin - 1) / 2, last = std::min(x.height(), (end + 2) / 2);
            return upsample(x.rows(first, last)).narrow(2, begin - 2 * first, end - begin);
          }};
}

FeatureMap computed(const FeatureMap& x, const Downsample& downsample) {
  return {x.height() / 2, x.width() / 2, [x, &downsample](int64_t begin, int64_t end) {
            return downsample(x.rows(2 * begin, std::min(x.height(), 2 * end + 1)));
          }};
}

FeatureMap store_resnet(const FeatureMap& x, const ResnetBlock& block, BandSize band) {
  const ops::ChannelScale scale1 = block.scale1(x.moments(band));
  const FeatureMap h = computed(x, 1, [&](const at::Tensor& rows) { return block.first(rows, scale1); });
  const ops::ChannelScale scale2 = block.scale2(h.moments(band));
  const FeatureMap y = computed(
      x, kResnetHalo, [&](const at::Tensor& rows) { return block.second(rows, block.first(rows, scale1), scale2); });
  return store(y, band, block.keeps_channels() ? x.whole() : at::Tensor());
}

}  // namespace keyflow::autoencoder_kl
