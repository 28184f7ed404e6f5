#include "media/palette.h"

#include <algorithm>
#include <cmath>
#include <unordered_set>

namespace keyflow::media {
namespace {

constexpr int kCellBits = 6;
constexpr int16_t kUnknown = -1;
constexpr int16_t kShared = -2;  ///< two entries of the palette lie in the cell

size_t cell_of(const Colour& c, int bits) {
  const int drop = 8 - bits;
  return static_cast<size_t>((c[0] >> drop) << (2 * bits) | (c[1] >> drop) << bits | (c[2] >> drop));
}

/// Pixels of one 15-bit cell of colour space.
struct Bin {
  double count = 0;
  std::array<double, 3> sum{};
  double mean(size_t axis) const { return sum[axis] / count; }
};

struct Box {
  size_t begin, end;
  double error = 0;  ///< squared error around the mean, all axes
  size_t axis = 0;   ///< of the largest variance
  double cut = 0;    ///< mean along it
  Colour colour{};

  Box(const std::vector<Bin>& bins, size_t from, size_t to) : begin(from), end(to) {
    double count = 0;
    std::array<double, 3> sum{}, squares{};
    for (size_t i = begin; i < end; ++i) {
      count += bins[i].count;
      for (size_t a = 0; a < 3; ++a) {
        sum[a] += bins[i].sum[a];
        squares[a] += bins[i].sum[a] * bins[i].mean(a);
      }
    }
    double largest = -1;
    for (size_t a = 0; a < 3; ++a) {
      const double spread = std::max(squares[a] - sum[a] * sum[a] / count, 0.0);
      error += spread;
      colour[a] = static_cast<int32_t>(std::lround(sum[a] / count));
      if (spread <= largest) continue;
      largest = spread;
      axis = a;
      cut = sum[a] / count;
    }
  }
};

/// The distinct colours in order of appearance; empty when there are more than `limit`.
std::vector<Colour> distinct_colours(const uint8_t* pixels, int64_t count, size_t limit) {
  std::unordered_set<uint32_t> seen;
  std::vector<Colour> colours;
  for (int64_t i = 0; i < count; ++i) {
    const Colour colour = {pixels[i], pixels[count + i], pixels[2 * count + i]};
    if (!seen.insert(static_cast<uint32_t>(cell_of(colour, 8))).second) continue;
    if (colours.size() == limit) return {};
    colours.push_back(colour);
  }
  return colours;
}

std::vector<Bin> histogram(const uint8_t* pixels, int64_t count) {
  std::vector<Bin> bins(size_t{1} << 15);
  for (int64_t i = 0; i < count; ++i) {
    const Colour colour = {pixels[i], pixels[count + i], pixels[2 * count + i]};
    Bin& bin = bins[cell_of(colour, 5)];
    ++bin.count;
    for (size_t a = 0; a < 3; ++a) bin.sum[a] += colour[a];
  }
  std::erase_if(bins, [](const Bin& bin) { return bin.count == 0; });
  return bins;
}

}  // namespace

std::vector<Colour> make_palette(const uint8_t* pixels, int64_t count, size_t limit) {
  std::vector<Colour> colours = distinct_colours(pixels, count, limit);
  if (!colours.empty()) return colours;
  std::vector<Bin> bins = histogram(pixels, count);
  std::vector<Box> boxes = {Box(bins, 0, bins.size())};
  while (boxes.size() < limit) {
    const auto worst =
        std::max_element(boxes.begin(), boxes.end(), [](const Box& a, const Box& b) { return a.error < b.error; });
    const Box box = *worst;
    const auto middle = std::stable_partition(bins.begin() + static_cast<std::ptrdiff_t>(box.begin),
                                              bins.begin() + static_cast<std::ptrdiff_t>(box.end),
                                              [&](const Bin& bin) { return bin.mean(box.axis) <= box.cut; });
    const auto split = static_cast<size_t>(middle - bins.begin());
    if (split == box.begin || split == box.end) break;
    *worst = Box(bins, box.begin, split);
    boxes.emplace_back(bins, split, box.end);
  }
  for (const Box& box : boxes) colours.push_back(box.colour);
  return colours;
}

NearestColour::NearestColour(std::vector<Colour> palette)
    : palette_(std::move(palette)), cells_(size_t{1} << (3 * kCellBits), kUnknown) {
  std::vector<bool> taken(cells_.size(), false);
  for (const Colour& colour : palette_) {
    const size_t cell = cell_of(colour, kCellBits);
    if (taken[cell]) cells_[cell] = kShared;
    taken[cell] = true;
  }
}

size_t NearestColour::operator()(const Colour& colour) {
  int16_t& known = cells_[cell_of(colour, kCellBits)];
  if (known >= 0) return static_cast<size_t>(known);
  const size_t index = search(colour);
  if (known == kUnknown) known = static_cast<int16_t>(index);
  return index;
}

size_t NearestColour::search(const Colour& colour) const {
  size_t best = 0;
  int32_t best_distance = INT32_MAX;
  for (size_t i = 0; i < palette_.size(); ++i) {
    int32_t distance = 0;
    for (size_t a = 0; a < 3; ++a) distance += (colour[a] - palette_[i][a]) * (colour[a] - palette_[i][a]);
    if (distance < best_distance) {
      best = i;
      best_distance = distance;
    }
  }
  return best;
}

}  // namespace keyflow::media
