#include "weights/lora_factors.h"

#include <ATen/ops/matmul.h>

#include <cmath>
#include <stdexcept>

#include "core/compute.h"
#include "core/shape.h"

namespace keyflow::weights {
namespace {

using Role = LoraRole;

void check(bool condition, const std::string& text) {
  if (!condition) throw std::invalid_argument(text);
}

}  // namespace

/// The tensors of one matrix: whole, or up, down and perhaps a core between them.
struct LoraFactors::Parts {
  Role whole, up, down, core;
  /// LyCORIS keeps the upper factor of its own kinds as [r, out] beside a core.
  bool turned() const { return core != Role::mid; }

  static const Parts low_rank, hadamard_first, hadamard_second, kronecker_left, kronecker_right;
};

const LoraFactors::Parts LoraFactors::Parts::low_rank{Role::difference, Role::up, Role::down, Role::mid};
const LoraFactors::Parts LoraFactors::Parts::hadamard_first{Role::difference, Role::hada_w1_a, Role::hada_w1_b,
                                                            Role::hada_t1};
const LoraFactors::Parts LoraFactors::Parts::hadamard_second{Role::difference, Role::hada_w2_a, Role::hada_w2_b,
                                                             Role::hada_t2};
const LoraFactors::Parts LoraFactors::Parts::kronecker_left{Role::lokr_w1, Role::lokr_w1_a, Role::lokr_w1_b, Role::mid};
const LoraFactors::Parts LoraFactors::Parts::kronecker_right{Role::lokr_w2, Role::lokr_w2_a, Role::lokr_w2_b,
                                                             Role::lokr_t2};

const std::vector<int64_t>& LoraFactors::shape(Role role) const {
  const auto& info = *file_.find(tensors_.at(role));
  check(!info.shape.empty() && info.numel() > 0, "expected a matrix, found " + shape_text(info.shape));
  check(c10::isFloatingType(info.dtype), "expected floating point, found " + dtype_name(info.dtype));
  return info.shape;
}

std::optional<LoraKind> LoraFactors::kind() const {
  if (has(Role::hada_w1_a) || has(Role::hada_w2_a)) return LoraKind::hadamard;
  for (const Role role : {Role::lokr_w1, Role::lokr_w1_a, Role::lokr_w2, Role::lokr_w2_a}) {
    if (has(role)) return LoraKind::kronecker;
  }
  if (has(Role::down) || has(Role::up)) return LoraKind::low_rank;
  if (has(Role::difference)) return LoraKind::full;
  return std::nullopt;
}

int64_t LoraFactors::rank(const Parts& parts) const {
  if (has(parts.whole)) {
    shape(parts.whole);
    return 0;
  }
  check(has(parts.up) && has(parts.down), has(parts.up)     ? "an upper factor without the lower one"
                                          : has(parts.down) ? "a lower factor without the upper one"
                                                            : "one of the two matrices is missing");
  const auto &up = shape(parts.up), &down = shape(parts.down);
  check(up.size() >= 2 && down.size() >= 2, "factors are not matrices");
  const bool turned = has(parts.core) && parts.turned();
  const int64_t rank = down[0], upper = turned ? up[0] : up[1];
  check(upper == rank, c10::str("ranks differ: ", shape_text(up), " and ", shape_text(down)));
  check(c10::multiply_integers(up) == up[0] * up[1], "the upper factor has a kernel: " + shape_text(up));
  if (has(parts.core)) {
    const auto& core = shape(parts.core);
    check(core.size() >= 2 && core[0] == rank && core[1] == rank, "core of another rank: " + shape_text(core));
  }
  return rank;
}

int64_t LoraFactors::rank(LoraKind kind) const {
  switch (kind) {
    case LoraKind::hadamard:
      rank(Parts::hadamard_second);
      return rank(Parts::hadamard_first);
    case LoraKind::kronecker: {
      const int64_t left = rank(Parts::kronecker_left), right = rank(Parts::kronecker_right);
      return right > 0 ? right : left;
    }
    case LoraKind::low_rank:
      check(!has(Role::difference), "both a LoRA and a full difference");
      return rank(Parts::low_rank);
    case LoraKind::full:
      return rank(Parts::low_rank);
  }
  return 0;
}

std::optional<double> LoraFactors::alpha() const {
  if (!has(Role::alpha)) return std::nullopt;
  const at::Tensor value = read(Role::alpha);
  check(value.numel() == 1, "alpha: expected one number, found " + shape_text(value.sizes()));
  const double alpha = value.to(at::kDouble).item<double>();
  check(std::isfinite(alpha), "alpha is not finite");
  return alpha;
}

/// A core [r, r, k...] is multiplied into the lower factor, which is then [r, in, k...].
Product LoraFactors::read(const Parts& parts) const {
  if (has(parts.whole)) return {read(parts.whole), {}};
  at::Tensor up = read(parts.up), down = read(parts.down);
  if (!has(parts.core)) return {up.flatten(1), down};
  if (parts.turned()) up = up.t();
  const at::Tensor core = read(parts.core).to(at::kFloat);
  return {up.flatten(1), core.movedim(1, -1).matmul(down.to(at::kFloat).flatten(1)).movedim(-1, 1)};
}

Adapter LoraFactors::read(LoraKind kind) const {
  Adapter adapter;
  switch (kind) {
    case LoraKind::hadamard:
      adapter.first = read(Parts::hadamard_first);
      adapter.second = read(Parts::hadamard_second);
      break;
    case LoraKind::kronecker:
      adapter.left = read(Parts::kronecker_left).matrix();
      adapter.first = read(Parts::kronecker_right);
      break;
    case LoraKind::low_rank:
    case LoraKind::full:
      adapter.first = read(Parts::low_rank);
  }
  if (has(Role::row_magnitude)) adapter.magnitude = read(Role::row_magnitude).flatten();
  if (has(Role::magnitude)) adapter.magnitude = read(Role::magnitude);
  return adapter;
}

}  // namespace keyflow::weights
