#include "core/quantised/blocks.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include <numeric>

#include "core/error.h"
#include "core/quantised/block_unpack.h"
#include "core/shape.h"

namespace keyflow {
namespace {

constexpr int64_t kValuesATask = 1 << 16;

const uint8_t* block_at(const Blocks& blocks, int64_t value) {
  const BlockLayout& layout = layout_of(blocks.format);
  return blocks.bytes.const_data_ptr<uint8_t>() + value / layout.values * layout.bytes;
}

float factor_of(const Blocks& blocks, int64_t row) {
  if (!blocks.scale.defined()) return 1;
  return blocks.scale.const_data_ptr<float>()[blocks.scale.numel() == 1 ? 0 : row];
}

template <class T>
void unpack_run(const Blocks& blocks, int64_t begin, int64_t rows, T* out) {
  const int64_t values = blocks.row_values(), block = layout_of(blocks.format).values;
  if (block > 1) {
    const uint8_t* bytes = block_at(blocks, begin * values);
    const int64_t block_bytes = layout_of(blocks.format).bytes, count = rows * values / block;
    at::parallel_for(0, count, std::max<int64_t>(1, kValuesATask / block), [&](int64_t first, int64_t last) {
      unpack_blocks(blocks.format, bytes + first * block_bytes, last - first, out + first * block);
    });
    return;
  }
  at::parallel_for(0, rows, std::max<int64_t>(1, kValuesATask / std::max<int64_t>(values, 1)),
                   [&](int64_t first, int64_t last) {
                     for (int64_t row = first; row < last; ++row) {
                       unpack_floats(blocks.format, block_at(blocks, (begin + row) * values), values,
                                     factor_of(blocks, begin + row), out + row * values);
                     }
                   });
}

}  // namespace

int64_t Blocks::row_values() const {
  int64_t product = 1;
  for (size_t i = 1; i < shape.size(); ++i) product *= shape[i];
  return product;
}

int64_t Blocks::row_step() const {
  const int64_t block = layout_of(format).values, row = row_values();
  return row == 0 ? 1 : block / std::gcd(block, row);
}

Blocks Blocks::narrow(int64_t begin, int64_t count) const {
  const BlockLayout& layout = layout_of(format);
  const int64_t step = row_step();
  require(begin % step == 0 && count % step == 0 && begin >= 0 && count >= 0 && begin + count <= rows(),
          ErrorKind::internal, "blocks: rows ", begin, " to ", begin + count, " of ", shape_text(shape),
          " do not fill whole blocks of ", layout.name);
  Blocks part = *this;
  const int64_t row = row_values();
  part.bytes = bytes.narrow(0, begin * row / layout.values * layout.bytes, count * row / layout.values * layout.bytes);
  part.shape[0] = count;
  if (scale.defined() && scale.numel() > 1) part.scale = scale.narrow(0, begin, count);
  return part;
}

void unpack_rows(const Blocks& blocks, int64_t begin, at::Tensor& out) {
  const int64_t step = blocks.row_step();
  require(out.dim() == 2 && out.size(1) == blocks.row_values() && out.is_contiguous() && begin % step == 0 &&
              out.size(0) % step == 0 && begin + out.size(0) <= blocks.rows(),
          ErrorKind::internal, "blocks: rows from ", begin, " into ", shape_text(out.sizes()), " of ",
          shape_text(blocks.shape));
  if (out.scalar_type() == at::kFloat) {
    unpack_run(blocks, begin, out.size(0), out.mutable_data_ptr<float>());
  } else if (out.scalar_type() == at::kBFloat16) {
    unpack_run(blocks, begin, out.size(0), out.mutable_data_ptr<c10::BFloat16>());
  } else {
    at::Tensor plain = at::empty(out.sizes(), at::kFloat);
    unpack_run(blocks, begin, out.size(0), plain.mutable_data_ptr<float>());
    out.copy_(plain);
  }
}

at::Tensor unpack(const Blocks& blocks, at::ScalarType type) {
  at::Tensor out = at::empty({blocks.rows(), blocks.row_values()}, type);
  unpack_rows(blocks, 0, out);
  return out.view(blocks.shape);
}

at::Tensor unpack_rows_at(const Blocks& blocks, const at::Tensor& ids, at::ScalarType type) {
  const int64_t values = blocks.row_values(), step = blocks.row_step();
  const at::Tensor wanted = ids.contiguous();
  const int64_t* row = wanted.const_data_ptr<int64_t>();
  at::Tensor out = at::empty({wanted.numel(), values}, type), run = at::empty({step, values}, type);
  for (int64_t i = 0; i < wanted.numel(); ++i) {
    require(row[i] >= 0 && row[i] < blocks.rows(), ErrorKind::internal, "blocks: row ", row[i], " of ", blocks.rows());
    unpack_rows(blocks, row[i] / step * step, run);
    out.select(0, i).copy_(run.select(0, row[i] % step));
  }
  std::vector<int64_t> shape = ids.sizes().vec();
  shape.push_back(values);
  return out.view(shape);
}

}  // namespace keyflow
