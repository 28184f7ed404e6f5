#include "ops/patchify.h"

#include "core/shape.h"

namespace keyflow::ops {

at::Tensor patchify(const at::Tensor& x, const std::array<int64_t, 3>& patch) {
  const auto [B, C, T, H, W] = dims<5>(x, "x");
  const auto [t, h, w] = patch;
  require(T % t == 0 && H % h == 0 && W % w == 0, ErrorKind::shape, "x: ", shape_text(x.sizes()),
          " does not split into patches of ", shape_text(patch));
  return x.reshape({B, C, T / t, t, H / h, h, W / w, w})
      .permute({0, 2, 4, 6, 1, 3, 5, 7})
      .reshape({B, (T / t) * (H / h) * (W / w), C * t * h * w});  // [B, L, C*P]
}

at::Tensor unpatchify(const at::Tensor& tokens, const std::array<int64_t, 3>& grid,
                      const std::array<int64_t, 3>& patch) {
  const auto [B, L, E] = dims<3>(tokens, "tokens");
  const auto [T, H, W] = grid;
  const auto [t, h, w] = patch;
  require(L == T * H * W && E % (t * h * w) == 0, ErrorKind::shape, "tokens: ", shape_text(tokens.sizes()),
          " do not make a grid of ", shape_text(grid), " with patches of ", shape_text(patch));
  return tokens.reshape({B, T, H, W, t, h, w, E / (t * h * w)})
      .permute({0, 7, 1, 4, 2, 5, 3, 6})
      .reshape({B, E / (t * h * w), T * t, H * h, W * w});  // [B, C, T, H, W]
}

}  // namespace keyflow::ops
