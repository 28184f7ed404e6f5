#include "bench/packed_linear.h"

#include "core/quantised/block_pack.h"
#include "core/random.h"
#include "models/layers/linear.h"

namespace keyflow::bench {
namespace {

class OneWeight final : public weights::Source {
 public:
  explicit OneWeight(BlockFormat format) : format_(format) {}

  at::Tensor get(const std::string&, at::IntArrayRef shape, weights::Init, int64_t fan_in) override {
    return (randn(shape, 1) * (0.7 / std::sqrt(static_cast<double>(fan_in)))).to(at::kHalf);
  }
  weights::StoredWeight get_weight(const std::string& name, at::IntArrayRef shape, weights::Init init,
                                   int64_t fan_in) override {
    const at::Tensor weight = get(name, shape, init, fan_in);
    if (format_ == BlockFormat::none) return {weight};
    return {{}, pack(weight, format_)};
  }

 private:
  BlockFormat format_;
};

}  // namespace

std::function<void()> packed_linear(const Compute& compute, BlockFormat format) {
  constexpr int64_t kWidth = 5120, kTokens = 1280;
  OneWeight source(format);
  const layers::Linear linear(weights::Scope(source, compute), kWidth, kWidth);
  const at::Tensor x = randn({1, kTokens, kWidth}, 2);
  return [linear, x] { linear(x); };
}

}  // namespace keyflow::bench
