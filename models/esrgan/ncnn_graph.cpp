#include "models/esrgan/ncnn_graph.h"

#include <algorithm>
#include <array>

#include "core/error.h"
#include "weights/ncnn_param.h"

namespace keyflow::esrgan {
namespace {

using weights::NcnnLayer;

constexpr double kSlope = 0.2, kResidual = 0.2;

/// Values by what computes them: the same expression of the same values is the same number, whoever writes it down.
class Expressions {
 public:
  int of(const std::string& what, const std::vector<int>& inputs) {
    std::string key = what;
    for (const int input : inputs) key += " " + std::to_string(input);
    return numbers_.emplace(key, static_cast<int>(numbers_.size())).first->second;
  }
  int convolution(int64_t index, int x) { return of(c10::str("convolution ", index), {x}); }
  int slopes(int64_t index, int x) { return of(c10::str("slopes ", index), {x}); }
  int leaky(double slope, int x) { return of(c10::str("leaky ", static_cast<float>(slope)), {x}); }
  int scaled(double factor, int x) { return factor == 1 ? x : of(c10::str("times ", static_cast<float>(factor)), {x}); }
  int sum(int a, int b) { return of("sum", {std::min(a, b), std::max(a, b)}); }
  int joined(const std::vector<int>& parts) { return of("joined", parts); }
  int enlarged(double factor, int x) { return of(c10::str("enlarged ", factor), {x}); }
  int shuffled(double factor, int x) { return of(c10::str("shuffled ", factor), {x}); }

 private:
  std::map<std::string, int> numbers_;
};

int compact_graph(Expressions& e, const Config& config) {
  const int rgb = e.of("picture", {});
  int x = rgb;
  for (int64_t i = 0; i <= config.blocks; ++i) x = e.slopes(i, e.convolution(i, x));
  const auto factor = static_cast<double>(config.shuffle);
  return e.sum(e.shuffled(factor, e.convolution(config.blocks + 1, x)), e.enlarged(factor, rgb));
}

int rrdb_graph(Expressions& e, const Config& config) {
  int64_t index = 0;
  const auto next = [&](int x) { return e.convolution(index++, x); };
  const int first = next(e.of("picture", {}));
  int x = first;
  for (int64_t block = 0; block < config.blocks; ++block) {
    const int before = x;
    for (int dense = 0; dense < 3; ++dense) {
      std::vector<int> seen{x};
      for (int i = 0; i < 4; ++i) seen.push_back(e.leaky(kSlope, next(seen.size() > 1 ? e.joined(seen) : seen[0])));
      x = e.sum(e.scaled(kResidual, next(e.joined(seen))), x);
    }
    x = e.sum(e.scaled(kResidual, x), before);
  }
  x = e.sum(next(x), first);
  for (int64_t i = 0; i < config.doublings; ++i) x = e.leaky(kSlope, next(e.enlarged(2, x)));
  x = e.leaky(kSlope, next(x));
  return next(x);
}

/// Follows the layers of a file.
class Reader {
 public:
  Reader(Expressions& expressions, const std::string& where) : e_(expressions), where_(where) {}

  int run(const std::vector<NcnnLayer>& layers) {
    for (const auto& layer : layers) {
      const int value = value_of(layer);
      for (const auto& output : layer.outputs) values_[output] = value;
      last_ = value;
    }
    return last_;
  }

 private:
  [[noreturn]] void refuse(const NcnnLayer& layer, const char* why) const {
    fail(ErrorKind::unsupported, where_, ": layer \"", printable(layer.name), "\" (", printable(layer.type), "): ", why,
         "; hint: keyflow reads the networks of ESRGAN, Real-ESRGAN and SRVGG");
  }

  /// Throws unless the layer has so many inputs and no parameter but these, each with this value.
  void expect(const NcnnLayer& layer, size_t inputs, const std::map<int64_t, double>& values,
              const std::vector<int64_t>& free) const {
    if (layer.inputs.size() != inputs) refuse(layer, "has another number of inputs than such a layer of an upscaler");
    for (const auto& [key, value] : layer.numbers) {
      if (std::find(free.begin(), free.end(), key) != free.end()) continue;
      const auto found = values.find(key);
      if (found == values.end() || found->second != value) refuse(layer, "has a parameter that no upscaler here has");
    }
  }

  int convolution(const NcnnLayer& layer, int x) {
    // 3x3, no dilation, stride and padding of one, with a bias; 9 and array 10 are an activation behind it.
    expect(layer, 1, {{1, 3}, {11, 3}, {2, 1}, {12, 1}, {3, 1}, {13, 1}, {4, 1}, {14, 1}, {15, 1}, {16, 1}, {5, 1}},
           {0, 6, 9});
    if (layer.number(1, 0) != 3 || layer.number(4, 0) != 1 || layer.number(5, 0) != 1) {
      refuse(layer, "is not 3x3 with a padding of one and a bias");
    }
    const int value = e_.convolution(convolutions_++, x);
    if (layer.number(9, 0) == 0) return value;
    const auto slope = layer.arrays.find(10);
    if (layer.number(9, 0) != 2 || slope == layer.arrays.end() || slope->second.size() != 1) {
      refuse(layer, "has an activation that no upscaler here has");
    }
    return e_.leaky(slope->second[0], value);
  }

  int value_of(const NcnnLayer& layer) {
    std::vector<int> in;
    for (const auto& name : layer.inputs) in.push_back(values_.at(name));
    const auto is = [&](const char* type) { return layer.type == type; };
    if (is("Input")) return e_.of("picture", {});
    if (in.empty()) refuse(layer, "has no input");
    if (is("Split")) return in[0];
    if (is("Convolution")) return convolution(layer, in[0]);
    if (is("PReLU")) {
      expect(layer, 1, {}, {0});
      return e_.slopes(slopes_++, in[0]);
    }
    if (is("ReLU")) {
      expect(layer, 1, {}, {0});
      return e_.leaky(layer.number(0, 0), in[0]);
    }
    if (is("Concat")) {
      expect(layer, in.size(), {{0, 0}}, {});
      return e_.joined(in);
    }
    if (is("PixelShuffle")) {
      expect(layer, 1, {{1, 0}}, {0});
      return e_.shuffled(layer.number(0, 1), in[0]);
    }
    if (is("Interp")) {
      expect(layer, 1, {{0, 1}, {1, layer.number(2, 0)}}, {2});
      if (layer.number(0, 0) != 1) refuse(layer, "does not enlarge by the nearest pixel");
      return e_.enlarged(layer.number(1, 0), in[0]);
    }
    return arithmetic(layer, in);
  }

  int arithmetic(const NcnnLayer& layer, const std::vector<int>& in) {
    if (layer.type == "BinaryOp" && layer.number(1, 0) == 1) {
      expect(layer, 1, {{0, 2}, {1, 1}}, {2});
      if (layer.number(0, 0) != 2) refuse(layer, "is not a product");
      return e_.scaled(layer.number(2, 0), in[0]);
    }
    if (layer.type == "BinaryOp") {
      expect(layer, 2, {{0, 0}, {1, 0}}, {});
      return e_.sum(in[0], in[1]);
    }
    if (layer.type != "Eltwise") refuse(layer, "is a layer that no upscaler here has");
    expect(layer, 2, {{0, 1}}, {});
    if (layer.number(0, 0) != 1) refuse(layer, "is not a sum");
    std::vector<double> factors{1, 1};
    if (const auto given = layer.arrays.find(1); given != layer.arrays.end()) factors = given->second;
    if (factors.size() != 2) refuse(layer, "has another number of factors than inputs");
    return e_.sum(e_.scaled(factors[0], in[0]), e_.scaled(factors[1], in[1]));
  }

  Expressions& e_;
  const std::string& where_;
  std::map<std::string, int> values_;
  int64_t convolutions_ = 0, slopes_ = 0;
  int last_ = -1;
};

}  // namespace

void require_graph(const std::string& text, const std::string& where, const Config& config) {
  Expressions expressions;
  const int found = Reader(expressions, where).run(weights::parse_ncnn_param(text, where));
  const int expected =
      config.kind == Kind::compact ? compact_graph(expressions, config) : rrdb_graph(expressions, config);
  require(found == expected, ErrorKind::weights, where, ": the layers have the weights of ", variant_of(config),
          " but are joined in another way");
}

}  // namespace keyflow::esrgan
