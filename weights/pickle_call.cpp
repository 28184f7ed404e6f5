#include "weights/pickle_machine.h"
#include "weights/tensor_limits.h"

namespace keyflow::weights {

ValueId PickleMachine::push_global(std::string_view module, std::string_view name) {
  const std::string key = c10::str(module, "\n", name);
  auto found = global_index_.find(key);
  if (found == global_index_.end()) {
    pickle_.globals.push_back(resolve_global(module, name, c10::str(where_, "offset ", at_, ": ")));
    found = global_index_.emplace(key, static_cast<int64_t>(pickle_.globals.size() - 1)).first;
  }
  const ValueId id = make(PickleKind::global);
  value(id).number = found->second;
  return id;
}

ValueId PickleMachine::inert(const PickleValue& callee, ValueId arguments) {
  const int64_t global = callee.number;
  const ValueId id = make(PickleKind::object);
  value(id).number = global;
  adopt(value(id), arguments);
  return id;
}

ValueId PickleMachine::call(ValueId callee, ValueId arguments) {
  const PickleValue& function = value(callee);
  if (function.kind == PickleKind::object) return inert(function, arguments);
  if (function.kind != PickleKind::global) bad("expected a function to call, found " + words_of(pickle_, callee));
  if (value(arguments).kind != PickleKind::tuple) {
    bad("expected a tuple of arguments, found " + words_of(pickle_, arguments));
  }
  const std::vector<ValueId>& items = value(arguments).items;
  const PickleGlobal& global = pickle_.globals[static_cast<size_t>(function.number)];
  switch (global.callable) {
    case Callable::ordered_dict:
      return container_from(PickleKind::dict, items);
    case Callable::plain_container:
      return container_from(global.container, items);
    case Callable::size:
      return container_from(PickleKind::tuple, items);
    case Callable::rebuild_tensor:
      return rebuild_tensor(items, false);
    case Callable::rebuild_tensor_v3:
      return rebuild_tensor(items, true);
    case Callable::encode: {
      if (items.empty() || value(items[0]).kind != PickleKind::text) bad("_codecs.encode: expected a text");
      const ValueId id = make(PickleKind::bytes);
      value(id).text = value(items[0]).text;
      return id;
    }
    case Callable::rebuild_parameter:
      if (items.empty() || value(items[0]).kind != PickleKind::tensor) bad(global.name + ": expected a tensor");
      return items[0];
    case Callable::rebuild_from_type:
      // (function, type, arguments, state): a tensor with attributes; the type and the state do not change its values.
      if (items.size() != 4 || value(items[0]).kind != PickleKind::global) bad(global.name + ": expected 4 arguments");
      if (pickle_.globals[static_cast<size_t>(value(items[0]).number)].callable == Callable::rebuild_from_type) {
        bad(global.name + " calls itself");
      }
      return call(items[0], items[2]);
    case Callable::storage_type:
    case Callable::dtype:
    case Callable::unknown:
      break;
  }
  return inert(function, arguments);
}

ValueId PickleMachine::new_object(ValueId type, ValueId arguments) {
  const PickleValue& function = value(type);
  if (function.kind != PickleKind::global && function.kind != PickleKind::object) {
    bad("expected a class to make an object of, found " + words_of(pickle_, type));
  }
  if (function.kind == PickleKind::global) {
    const Callable callable = pickle_.globals[static_cast<size_t>(function.number)].callable;
    if (callable == Callable::ordered_dict || callable == Callable::plain_container || callable == Callable::size) {
      return call(type, arguments);
    }
  }
  return inert(function, arguments);
}

void PickleMachine::refuse_setstate(ValueId state) {
  const PickleValue& dict = value(state);
  if (dict.kind != PickleKind::dict) return;
  for (size_t i = 0; i < dict.items.size(); i += 2) {
    const PickleValue& key = value(dict.items[i]);
    if (key.kind != PickleKind::text || (key.text != "__setstate__" && key.text != "__reduce__")) continue;
    bad(c10::str("this file tries to run code: it sets ", key.text,
                 "; expected a checkpoint of tensors; it was not run"));
  }
}

void PickleMachine::build(ValueId target, ValueId state) {
  refuse_setstate(state);
  if (value(state).kind == PickleKind::tuple) {
    for (const ValueId part : value(state).items) refuse_setstate(part);
  }
  const PickleKind kind = value(target).kind;
  if (kind == PickleKind::object) return adopt(value(target), state);
  // Attributes of an OrderedDict (`_metadata` of a state dict) or of a tensor carry no weights.
  if (kind != PickleKind::dict && kind != PickleKind::tensor) {
    bad("BUILD: expected an object to give a state to, found " + words_of(pickle_, target));
  }
  // But a ParameterDict, which old textual inversions are, has its tensors nowhere else.
  if (kind != PickleKind::dict || value(state).kind != PickleKind::dict) return;
  for (size_t i = 0; i + 1 < value(state).items.size(); i += 2) {
    const PickleValue& key = value(value(state).items[i]);
    const PickleValue& parameters = value(value(state).items[i + 1]);
    if (key.kind != PickleKind::text || key.text != "_parameters" || parameters.kind != PickleKind::dict) continue;
    extend(target, std::vector<ValueId>(parameters.items), PickleKind::dict);
  }
}

ValueId PickleMachine::container_from(PickleKind kind, const std::vector<ValueId>& arguments) {
  if (arguments.size() > 1) bad(c10::str("container: expected at most 1 argument, found ", arguments.size()));
  const ValueId id = make(kind);
  if (arguments.empty()) return id;
  const PickleValue& source = value(arguments[0]);
  std::vector<ValueId> items = source.items;
  if (kind == PickleKind::dict && source.kind == PickleKind::list) {
    items.clear();
    for (const ValueId pair : source.items) {
      if (value(pair).items.size() != 2) bad("dict: expected pairs, found " + words_of(pickle_, pair));
      items.insert(items.end(), value(pair).items.begin(), value(pair).items.end());
    }
  } else if (source.kind != PickleKind::list && source.kind != PickleKind::tuple && source.kind != kind) {
    bad("container: expected a list, found " + words_of(pickle_, arguments[0]));
  }
  extend(id, items, kind);
  return id;
}

int64_t PickleMachine::whole_number(ValueId id, const char* what) {
  if (value(id).kind != PickleKind::integer)
    bad(c10::str(what, ": expected a whole number, found ", words_of(pickle_, id)));
  return value(id).number;
}

std::vector<int64_t> PickleMachine::whole_numbers(ValueId id, const char* what) {
  if (value(id).kind != PickleKind::tuple) bad(c10::str(what, ": expected a tuple, found ", words_of(pickle_, id)));
  const auto& items = value(id).items;
  if (items.size() > kMaxRank) bad(c10::str(what, ": ", items.size(), " dimensions; the limit is ", kMaxRank));
  std::vector<int64_t> numbers;
  for (const ValueId item : items) numbers.push_back(whole_number(item, what));
  return numbers;
}

/// torch/_utils.py: (storage, offset, size, stride[, requires_grad, hooks[, dtype of v3][, metadata]])
ValueId PickleMachine::rebuild_tensor(const std::vector<ValueId>& arguments, bool with_dtype) {
  if (arguments.size() < (with_dtype ? 7u : 4u))
    bad(c10::str("tensor: expected more than ", arguments.size(), " arguments"));
  if (value(arguments[0]).kind != PickleKind::storage) {
    bad("tensor: expected a storage, found " + words_of(pickle_, arguments[0]));
  }
  PickleTensor tensor;
  tensor.storage = static_cast<size_t>(value(arguments[0]).number);
  tensor.dtype = pickle_.storages[tensor.storage].dtype;
  tensor.offset = whole_number(arguments[1], "tensor offset");
  tensor.sizes = whole_numbers(arguments[2], "tensor size");
  tensor.strides = whole_numbers(arguments[3], "tensor stride");
  if (tensor.sizes.size() != tensor.strides.size()) {
    bad(c10::str("tensor: ", tensor.sizes.size(), " sizes but ", tensor.strides.size(), " strides"));
  }
  if (with_dtype) {
    const PickleValue& type = value(arguments[6]);
    const auto* global = type.kind == PickleKind::global ? &pickle_.globals[static_cast<size_t>(type.number)] : nullptr;
    if (!global || global->callable != Callable::dtype) bad("tensor: unknown dtype " + words_of(pickle_, arguments[6]));
    tensor.dtype = global->dtype;
  }
  if (pickle_.tensors.size() >= kMaxTensors)
    bad(c10::str("more than ", kMaxTensors, " tensors; the limit is ", kMaxTensors));
  const ValueId id = make(PickleKind::tensor);
  value(id).number = static_cast<int64_t>(pickle_.tensors.size());
  value(id).holds_tensor = true;
  pickle_.tensors.push_back(std::move(tensor));
  return id;
}

/// ("storage", type, key, location, element count[, view of the legacy format: None or (key, offset, count)])
PickleStorage PickleMachine::storage_from(const std::vector<ValueId>& items) {
  const PickleValue& type = value(items[1]);
  const auto* global = type.kind == PickleKind::global ? &pickle_.globals[static_cast<size_t>(type.number)] : nullptr;
  if (!global || global->callable != Callable::storage_type) bad("unknown storage type " + words_of(pickle_, items[1]));
  if (value(items[2]).kind != PickleKind::text)
    bad("storage key: expected a text, found " + words_of(pickle_, items[2]));
  PickleStorage storage;
  storage.key = value(items[2]).text;
  storage.dtype = global->dtype;
  const std::string shown = "storage \"" + printable(storage.key) + "\": ";
  if (!fault_of_name(storage.key).empty() || storage.key.find_first_of("/\\") != storage.key.npos ||
      storage.key == "..") {
    bad(shown + "expected a key that is a plain name");
  }
  const auto bytes_of = [&](int64_t count) {
    int64_t bytes = 0;
    if (count < 0 || __builtin_mul_overflow(count, static_cast<int64_t>(c10::elementSize(storage.dtype)), &bytes)) {
      bad(c10::str(shown, "expected a count of elements below 2^63 bytes, found ", count));
    }
    return static_cast<uint64_t>(bytes);
  };
  storage.bytes = bytes_of(whole_number(items[4], "element count"));
  storage.view_bytes = storage.bytes;
  if (items.size() == 6 && value(items[5]).kind == PickleKind::tuple && value(items[5]).items.size() == 3) {
    const auto& view = value(items[5]).items;
    storage.view_begin = bytes_of(whole_number(view[1], "view offset"));
    storage.view_bytes = bytes_of(whole_number(view[2], "view size"));
    if (storage.view_begin > storage.bytes || storage.view_bytes > storage.bytes - storage.view_begin) {
      bad(c10::str(shown, "a view of ", storage.view_bytes, " bytes at ", storage.view_begin, " reaches outside its ",
                   storage.bytes, " bytes"));
    }
  }
  return storage;
}

ValueId PickleMachine::persistent(ValueId id) {
  const PickleValue& tuple = value(id);
  const bool storage_tuple = tuple.kind == PickleKind::tuple && (tuple.items.size() == 5 || tuple.items.size() == 6) &&
                             value(tuple.items[0]).kind == PickleKind::text && value(tuple.items[0]).text == "storage";
  if (!storage_tuple) {
    const std::string first = tuple.items.empty() ? "" : " that starts with " + words_of(pickle_, tuple.items[0]);
    bad("persistent id: expected (\"storage\", type, key, location, count), found " + words_of(pickle_, id) + first);
  }
  if (pickle_.storages.size() >= kMaxTensors)
    bad(c10::str("more than ", kMaxTensors, " storages; the limit is ", kMaxTensors));
  pickle_.storages.push_back(storage_from(tuple.items));
  const ValueId made = make(PickleKind::storage);
  value(made).number = static_cast<int64_t>(pickle_.storages.size() - 1);
  value(made).holds_tensor = true;
  return made;
}

}  // namespace keyflow::weights
