#include "weights/state_dict.h"

#include <array>

#include "core/error.h"
#include "weights/tensor_limits.h"

namespace keyflow::weights {
namespace {

constexpr int kMaxNesting = 8;

// In the order of preference; averaged weights go before raw ones.
constexpr std::array<std::string_view, 8> kWrappers = {"state_dict", "model_state_dict", "model_state", "params_ema",
                                                       "params",     "module",           "model",       "generator"};

/// The dict under a customary key, or `id` itself.
ValueId open_wrappers(const Pickle& pickle, ValueId id) {
  for (int level = 0; level < kMaxNesting; ++level) {
    const auto& items = pickle.values[id].items;
    ValueId inner = id;
    for (size_t best = kWrappers.size(), i = 0; i + 1 < items.size(); i += 2) {
      const PickleValue& key = pickle.values[items[i]];
      const PickleValue& value = pickle.values[items[i + 1]];
      if (key.kind != PickleKind::text || value.kind != PickleKind::dict || value.items.empty()) continue;
      for (size_t rank = 0; rank < best; ++rank) {
        if (key.text != kWrappers[rank]) continue;
        best = rank;
        inner = items[i + 1];
      }
    }
    if (inner == id) break;
    id = inner;
  }
  return id;
}

class Flattener {
 public:
  Flattener(const Pickle& pickle, const std::string& where) : pickle_(pickle), where_(where) {}

  NamedTensors run(ValueId dict) {
    pending_.push_back({dict, "", 0});
    for (size_t i = 0; i < pending_.size(); ++i) {
      if (pending_.size() > kMaxTensors)
        fail(ErrorKind::weights, where_, "more than ", kMaxTensors, " dicts; the limit is ", kMaxTensors);
      const Pending next = pending_[i];
      visit(next);
    }
    return std::move(named_);
  }

 private:
  struct Pending {
    ValueId dict;
    std::string prefix;
    int level;
  };

  void visit(const Pending& from) {
    const auto& items = pickle_.values[from.dict].items;
    for (size_t i = 0; i + 1 < items.size(); i += 2) {
      const PickleValue& key = pickle_.values[items[i]];
      const PickleValue& value = pickle_.values[items[i + 1]];
      if (!value.holds_tensor && value.kind != PickleKind::dict) continue;
      if (key.kind != PickleKind::text) {
        // Numbered dicts (optimizer state) hold no weights; a tensor itself needs a name.
        if (value.kind != PickleKind::tensor) continue;
        fail(ErrorKind::weights, where_, "tensor under \"", printable(from.prefix),
             "\": expected a text as its key, found ", words_of(pickle_, items[i]));
      }
      add(from, from.prefix + std::string(key.text), value, items[i + 1]);
    }
  }

  void add(const Pending& from, std::string name, const PickleValue& value, ValueId id) {
    if (value.kind == PickleKind::dict) {
      if (from.level + 1 >= kMaxNesting) {
        fail(ErrorKind::weights, where_, "dict \"", printable(name), "\": nested more than ", kMaxNesting,
             " deep; the limit is ", kMaxNesting);
      }
      pending_.push_back({id, name + ".", from.level + 1});
      return;
    }
    if (value.kind == PickleKind::object) {
      fail(ErrorKind::weights, where_, "tensor \"", printable(name), "\" is made by ",
           words_of(pickle_, id).substr(std::string_view("an object of ").size()),
           ", which is not known here; expected a plain tensor");
    }
    if (value.kind != PickleKind::tensor) return;
    const std::string fault = fault_of_name(name);
    if (!fault.empty()) fail(ErrorKind::weights, where_, "tensor name \"", printable(name), "\" ", fault);
    if (!named_.emplace(name, static_cast<size_t>(value.number)).second) {
      fail(ErrorKind::weights, where_, "tensor \"", printable(name), "\": duplicate key");
    }
  }

  const Pickle& pickle_;
  const std::string& where_;
  std::vector<Pending> pending_;
  NamedTensors named_;
};

}  // namespace

NamedTensors named_tensors(const Pickle& pickle, const std::string& where) {
  const PickleValue& root = pickle.values[pickle.root];
  if (root.kind == PickleKind::tensor) return {{"tensor", static_cast<size_t>(root.number)}};
  require(root.kind == PickleKind::dict, ErrorKind::weights, where, "expected a dict of tensors, found ",
          words_of(pickle, pickle.root), "; hint: torch.save(model.state_dict(), ...)");
  NamedTensors named = Flattener(pickle, where).run(open_wrappers(pickle, pickle.root));
  require(!named.empty(), ErrorKind::weights, where, "expected a dict of tensors, found 0 tensors");
  return named;
}

}  // namespace keyflow::weights
