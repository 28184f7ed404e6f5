#include "models/wan/keyframe_mask.h"

#include <ATen/ops/zeros.h>

namespace keyflow::wan {

at::Tensor keyframe_mask(const std::vector<int64_t>& given, int64_t frames) {
  at::Tensor mask = at::zeros({4, latent_frame(frames - 1) + 1}, at::kFloat);  // [4, T]
  auto cells = mask.accessor<float, 2>();
  for (const int64_t frame : given) {
    if (frame == 0) {
      for (int64_t c = 0; c < 4; ++c) cells[c][0] = 1;
    } else {
      cells[(frame - 1) % 4][latent_frame(frame)] = 1;
    }
  }
  return mask;
}

}  // namespace keyflow::wan
