#include "models/esrgan/keys.h"

#include <c10/util/StringUtil.h>

#include <charconv>
#include <cstdio>
#include <set>

#include "weights/name_table.h"

namespace keyflow::esrgan {
namespace {

using Spelling = Keys::Spelling;
using Names = std::set<std::string>;

constexpr int64_t kConvolutionsOfBlock = 15, kConvolutionsOfDense = 5;

/// "stem" and ".weight"; a name without either ending is all stem.
std::pair<std::string, std::string> split_ending(const std::string& name) {
  for (const char* ending : {".weight", ".bias"}) {
    if (name.ends_with(ending)) return {name.substr(0, name.size() - std::string_view(ending).size()), ending};
  }
  return {name, ""};
}

int64_t number_in(std::string_view text) {
  int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

/// The convolution of a dense block: "3" and "rdb2.conv5" of "body.3.rdb2.conv5".
struct DenseName {
  std::string block, dense, convolution;
};
std::optional<DenseName> dense_name(const std::string& stem) {
  const auto inside = weights::block_name(stem, "body.");
  if (!inside || !inside->inner.starts_with("rdb")) return {};
  const auto dot = inside->inner.find('.');
  return DenseName{inside->index, inside->inner.substr(3, dot - 3), inside->inner.substr(dot + 1)};
}

std::string first_stem(const std::string& stem) {
  if (const auto dense = dense_name(stem)) {
    return c10::str("RRDB_trunk.", dense->block, ".RDB", dense->dense, ".", dense->convolution);
  }
  if (stem == "conv_body") return "trunk_conv";
  if (stem == "conv_hr") return "HRconv";
  if (stem.starts_with("conv_up")) return "upconv" + stem.substr(7);
  return stem;
}

/// The sequence: 0 the first convolution, 1 the blocks and the one behind them, then for each doubling an enlargement,
/// a convolution and its activation, then a convolution, its activation and the last convolution.
std::string old_stem(const std::string& stem, const Keys& keys) {
  if (const auto dense = dense_name(stem)) {
    return c10::str("model.1.sub.", dense->block, ".RDB", dense->dense, ".", dense->convolution, ".0");
  }
  if (stem == "conv_first") return "model.0";
  if (stem == "conv_body") return c10::str("model.1.sub.", keys.blocks);
  if (stem == "conv_hr") return c10::str("model.", 2 + 3 * keys.doublings);
  if (stem == "conv_last") return c10::str("model.", 4 + 3 * keys.doublings);
  return c10::str("model.", 3 * number_in(std::string_view(stem).substr(7)));
}

std::string numbered(const char* type, int64_t index) {
  char text[48];
  std::snprintf(text, sizeof text, "%s.%04lld", type, static_cast<long long>(index));
  return text;
}

/// The order in which the network runs is the order of the layers in the file.
std::string ncnn_stem(const std::string& stem, const Keys& keys) {
  if (keys.kind == Kind::compact) {
    const int64_t index = number_in(std::string_view(stem).substr(5));  // behind "body."
    return numbered(index % 2 == 0 ? "Convolution" : "PReLU", index / 2);
  }
  const int64_t behind = kConvolutionsOfBlock * keys.blocks;
  int64_t index = 0;
  if (const auto dense = dense_name(stem)) {
    index = kConvolutionsOfBlock * number_in(dense->block) + kConvolutionsOfDense * (number_in(dense->dense) - 1) +
            number_in(std::string_view(dense->convolution).substr(4));
  } else if (stem == "conv_body") {
    index = behind + 1;
  } else if (stem == "conv_hr") {
    index = behind + 2 + keys.doublings;
  } else if (stem == "conv_last") {
    index = behind + 3 + keys.doublings;
  } else if (stem.starts_with("conv_up")) {
    index = behind + 1 + number_in(std::string_view(stem).substr(7));
  }
  return numbered("Convolution", index);
}

/// What stands before the name that ends in `mark`; nothing where none does.
std::optional<std::string> prefix_before(const Names& names, std::string_view mark) {
  for (const auto& name : names) {
    if (!name.ends_with(mark)) continue;
    const std::string prefix = name.substr(0, name.size() - mark.size());
    if (prefix.empty() || prefix.ends_with('.')) return prefix;
  }
  return {};
}

int64_t count(const Names& names, const std::function<std::string(int64_t)>& name_of) {
  int64_t index = 0;
  while (names.count(name_of(index)) > 0) ++index;
  return index;
}

std::optional<Keys> ncnn_keys(const Names& names) {
  const auto layers = [&](const char* type) {
    return count(names, [&](int64_t index) { return numbered(type, index) + ".weight"; });
  };
  const int64_t convolutions = layers("Convolution");
  if (convolutions == 0) return {};
  if (layers("PReLU") > 0) return Keys{Kind::compact, Spelling::ncnn, "", 0, 0};
  // First, behind the blocks, high resolution, last: four, and one for each doubling.
  const int64_t doublings = (convolutions - 4) % kConvolutionsOfBlock;
  return Keys{Kind::rrdb, Spelling::ncnn, "", (convolutions - 4) / kConvolutionsOfBlock, doublings};
}

}  // namespace

weights::Rename Keys::rename() const {
  return [keys = *this](const std::string& name) -> weights::FileName {
    const auto [stem, ending] = split_ending(name);
    switch (keys.spelling) {
      case Spelling::first:
        return {keys.prefix + first_stem(stem) + ending};
      case Spelling::old:
        return {keys.prefix + old_stem(stem, keys) + ending};
      case Spelling::ncnn:
        return {ncnn_stem(stem, keys) + ending};
      case Spelling::current:
        break;
    }
    return {keys.prefix + name};
  };
}

std::optional<Keys> keys_of(const std::vector<weights::TensorInfo>& tensors) {
  Names names;
  for (const auto& info : tensors) names.insert(info.name);
  if (auto keys = ncnn_keys(names)) return keys;
  if (const auto prefix = prefix_before(names, "body.0.rdb1.conv1.weight")) {
    return Keys{Kind::rrdb, Spelling::current, *prefix, 0, 0};
  }
  if (const auto prefix = prefix_before(names, "RRDB_trunk.0.RDB1.conv1.weight")) {
    return Keys{Kind::rrdb, Spelling::first, *prefix, 0, 0};
  }
  if (const auto prefix = prefix_before(names, "model.1.sub.0.RDB1.conv1.0.weight")) {
    Keys keys{Kind::rrdb, Spelling::old, *prefix, 0, 0};
    keys.blocks = count(names, [&](int64_t i) { return c10::str(*prefix, "model.1.sub.", i, ".RDB1.conv1.0.weight"); });
    keys.doublings = count(names, [&](int64_t i) { return c10::str(*prefix, "model.", 3 * (i + 1), ".weight"); });
    return keys;
  }
  // A first convolution, its slopes, and a second one: few other networks begin so, and none of keyflow's.
  const auto prefix = prefix_before(names, "body.1.weight");
  const bool chain = prefix && names.count(*prefix + "body.0.weight") > 0 && names.count(*prefix + "body.2.weight") > 0;
  if (chain && names.count(*prefix + "body.1.bias") == 0) return Keys{Kind::compact, Spelling::current, *prefix, 0, 0};
  return {};
}

}  // namespace keyflow::esrgan
