#include "weights/ncnn_param.h"

#include <charconv>
#include <cmath>
#include <set>

#include "core/error.h"
#include "weights/tensor_limits.h"

namespace keyflow::weights {
namespace {

constexpr std::string_view kMagic = "7767517";
constexpr int64_t kMaxLayers = 100'000, kMaxBlobs = 1'000'000, kMaxArray = 4096;
// An array is written under this number less its own.
constexpr int64_t kArrayBase = -23300;

template <class Number>
bool parse(std::string_view text, Number& value) {
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  return code == std::errc() && end == text.data() + text.size();
}

/// The words of one line after the other.
class Lines {
 public:
  Lines(std::string_view text, const std::string& where) : rest_(text), where_(where) {}

  /// The words of the next line that has any; none at the end.
  std::vector<std::string_view> next() {
    while (!rest_.empty()) {
      const auto end = rest_.find('\n');
      const std::string_view line = rest_.substr(0, end);
      rest_ = end == rest_.npos ? "" : rest_.substr(end + 1);
      ++number_;
      if (auto words = split(line); !words.empty()) return words;
    }
    return {};
  }

  template <class... Parts>
  [[noreturn]] void refuse(const Parts&... parts) const {
    fail(ErrorKind::weights, where_, ": line ", number_, ": ", parts...);
  }

 private:
  static std::vector<std::string_view> split(std::string_view line) {
    constexpr std::string_view kSpace = " \t\r";
    std::vector<std::string_view> words;
    for (size_t begin = 0; (begin = line.find_first_not_of(kSpace, begin)) != line.npos;) {
      const size_t end = std::min(line.find_first_of(kSpace, begin), line.size());
      words.push_back(line.substr(begin, end - begin));
      begin = end;
    }
    return words;
  }

  std::string_view rest_;
  const std::string& where_;
  int64_t number_ = 0;
};

class Parser {
 public:
  Parser(std::string_view text, const std::string& where) : lines_(text, where) {}

  std::vector<NcnnLayer> run() {
    const auto magic = lines_.next();
    if (magic.size() != 1 || magic[0] != kMagic) lines_.refuse("expected ", kMagic, " alone");
    const auto counts = lines_.next();
    if (counts.size() != 2) lines_.refuse("expected the counts of layers and blobs, found ", counts.size(), " words");
    const int64_t layers = count(counts[0], "layers", kMaxLayers);
    count(counts[1], "blobs", kMaxBlobs);
    std::vector<NcnnLayer> list;
    for (auto words = lines_.next(); !words.empty(); words = lines_.next()) {
      if (static_cast<int64_t>(list.size()) == layers) lines_.refuse("expected ", layers, " layers, found more");
      list.push_back(layer(words));
    }
    if (static_cast<int64_t>(list.size()) != layers) lines_.refuse("expected ", layers, " layers, found ", list.size());
    return list;
  }

 private:
  int64_t count(std::string_view word, const char* what, int64_t most) const {
    int64_t value = 0;
    if (!parse(word, value) || value < 0 || value > most) {
      lines_.refuse(what, ": expected a whole number from 0 to ", most, ", found \"", printable(word), "\"");
    }
    return value;
  }

  NcnnLayer layer(const std::vector<std::string_view>& words) {
    if (words.size() < 4) lines_.refuse("expected a layer's type, name and two counts, found ", words.size(), " words");
    NcnnLayer layer{std::string(words[0]), std::string(words[1]), {}, {}, {}, {}};
    for (const auto& text : {layer.type, layer.name}) {
      if (const std::string fault = fault_of_name(text); !fault.empty())
        lines_.refuse("\"", printable(text), "\" ", fault);
    }
    const int64_t inputs = count(words[2], "inputs", kMaxBlobs), outputs = count(words[3], "outputs", kMaxBlobs);
    if (static_cast<int64_t>(words.size()) - 4 < inputs + outputs) {
      lines_.refuse("expected ", inputs, " inputs and ", outputs, " outputs, found ", words.size() - 4, " words");
    }
    for (int64_t i = 0; i < inputs + outputs; ++i) {
      const std::string blob(words[static_cast<size_t>(4 + i)]);
      if (i < inputs) {
        if (blobs_.count(blob) == 0) lines_.refuse("no earlier layer makes the input \"", printable(blob), "\"");
        layer.inputs.push_back(blob);
      } else {
        if (!blobs_.insert(blob).second) lines_.refuse("the output \"", printable(blob), "\" is made twice");
        layer.outputs.push_back(blob);
      }
    }
    for (size_t i = static_cast<size_t>(4 + inputs + outputs); i < words.size(); ++i) parameter(words[i], layer);
    return layer;
  }

  void parameter(std::string_view word, NcnnLayer& layer) const {
    const auto equals = word.find('=');
    int64_t key = 0;
    if (equals == word.npos || !parse(word.substr(0, equals), key)) {
      lines_.refuse("expected a parameter such as 0=64, found \"", printable(word), "\"");
    }
    std::vector<double> values;
    for (std::string_view rest = word.substr(equals + 1);;) {
      const auto comma = rest.find(',');
      double value = 0;
      if (!parse(rest.substr(0, comma), value) || !std::isfinite(value) || values.size() > kMaxArray) {
        lines_.refuse("expected numbers behind ", key, "=, found \"", printable(word), "\"");
      }
      values.push_back(value);
      if (comma == rest.npos) break;
      rest = rest.substr(comma + 1);
    }
    bool fresh = false;
    if (key >= 0 && values.size() == 1) {
      fresh = layer.numbers.emplace(key, values[0]).second;
    } else if (key <= kArrayBase && values[0] == static_cast<double>(values.size() - 1)) {
      values.erase(values.begin());
      fresh = layer.arrays.emplace(kArrayBase - key, std::move(values)).second;
    } else {
      lines_.refuse("expected one number, or an array with its length, found \"", printable(word), "\"");
    }
    if (!fresh) lines_.refuse("parameter ", key, " stands twice");
  }

  Lines lines_;
  std::set<std::string> blobs_;
};

}  // namespace

double NcnnLayer::number(int64_t key, double fallback) const {
  const auto found = numbers.find(key);
  return found == numbers.end() ? fallback : found->second;
}

int64_t NcnnLayer::whole(int64_t key, int64_t fallback, int64_t least, int64_t most, const std::string& where) const {
  const double value = number(key, static_cast<double>(fallback));
  if (value != std::floor(value) || value < static_cast<double>(least) || value > static_cast<double>(most)) {
    fail(ErrorKind::weights, where, ": layer \"", printable(name), "\": parameter ", key,
         ": expected a whole number from ", least, " to ", most, ", found ", value);
  }
  return static_cast<int64_t>(value);
}

bool is_ncnn_param(std::string_view first_bytes) {
  return first_bytes.starts_with(kMagic) && first_bytes.size() > kMagic.size() &&
         (first_bytes[kMagic.size()] == '\n' || first_bytes[kMagic.size()] == '\r');
}

std::vector<NcnnLayer> parse_ncnn_param(std::string_view text, const std::string& where) {
  return Parser(text, where).run();
}

}  // namespace keyflow::weights
