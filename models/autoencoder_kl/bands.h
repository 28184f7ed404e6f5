#pragma once
#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>

#include "models/autoencoder_kl/blocks.h"

// A network over a large picture without its large tensors: feature maps are made in bands of full width, anew for each
// use where that is cheaper than keeping them. A band is asked for with the neighbouring rows its convolutions see, and
// group norms use moments of the whole map, gathered in a pass before; so the result is that of the whole picture.
namespace keyflow::autoencoder_kl {

/// Rows per band such that a band has about `positions` of them.
struct BandSize {
  int64_t positions = 0;
  int64_t rows(int64_t width) const;
};

/// A feature map [B, C, height, width] of which any rows can be had.
class FeatureMap {
 public:
  /// [B, C, end - begin, width]; 0 <= begin < end <= height
  using Rows = std::function<at::Tensor(int64_t begin, int64_t end)>;

  /// One that lies in memory.
  explicit FeatureMap(at::Tensor whole);
  /// One that is computed row by row, at each use anew.
  FeatureMap(int64_t height, int64_t width, Rows rows) : height_(height), width_(width), rows_(std::move(rows)) {}

  int64_t height() const { return height_; }
  int64_t width() const { return width_; }
  at::Tensor rows(int64_t begin, int64_t end) const { return rows_(begin, end); }
  /// The tensor behind it; undefined for a computed one.
  const at::Tensor& whole() const { return whole_; }
  /// Of the whole map, in one pass over its bands unless store() has noted them.
  const ops::ChannelMoments& moments(BandSize band) const;

 private:
  friend FeatureMap store(const FeatureMap& map, BandSize band, at::Tensor over);
  int64_t height_, width_;
  Rows rows_;
  at::Tensor whole_;
  mutable std::shared_ptr<const ops::ChannelMoments> moments_;
};

/// Computes every band and keeps it. `over` may be the very tensor the rows are computed from, if that reaches at most
/// two rows up (a residual block): a band is written when the next one is done. Undefined: a new tensor.
FeatureMap store(const FeatureMap& map, BandSize band, at::Tensor over = {});

/// `operation` keeps the size and sees `halo` rows up and down.
FeatureMap computed(const FeatureMap& x, int64_t halo, std::function<at::Tensor(const at::Tensor&)> operation);
FeatureMap computed(const FeatureMap& x, const Upsample& upsample);
FeatureMap computed(const FeatureMap& x, const Downsample& downsample);

/// The block's output, stored; over x's own tensor where that has its shape.
FeatureMap store_resnet(const FeatureMap& x, const ResnetBlock& block, BandSize band);

}  // namespace keyflow::autoencoder_kl
