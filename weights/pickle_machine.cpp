#include "weights/pickle_machine.h"

#include <algorithm>
#include <bit>

namespace keyflow::weights {
namespace {

constexpr size_t kMaxValues = 600'000, kMaxItems = 4 * kMaxValues, kMaxStack = 65'536;
constexpr uint16_t kMaxDepth = 100;

}  // namespace

std::string words_of(const Pickle& pickle, ValueId id) {
  const PickleValue& value = pickle.values[id];
  switch (value.kind) {
    case PickleKind::none:
      return "None";
    case PickleKind::boolean:
      return "a boolean";
    case PickleKind::integer:
      return c10::str("a number (", value.number, ")");
    case PickleKind::big_integer:
      return "a number of many digits";
    case PickleKind::real:
      return "a float";
    case PickleKind::text:
      return "the text \"" + printable(value.text) + "\"";
    case PickleKind::bytes:
      return "bytes";
    case PickleKind::tuple:
      return "a tuple";
    case PickleKind::list:
      return "a list";
    case PickleKind::dict:
      return "a dict";
    case PickleKind::set:
      return "a set";
    case PickleKind::global:
      return printable(pickle.globals[static_cast<size_t>(value.number)].name);
    case PickleKind::object:
      return "an object of " + printable(pickle.globals[static_cast<size_t>(value.number)].name);
    case PickleKind::storage:
      return "a storage";
    case PickleKind::tensor:
      return "a tensor";
  }
  return "nothing";
}

Pickle read_pickle(std::span<const uint8_t> bytes, uint64_t begin, const std::string& where) {
  return PickleMachine(bytes, begin, where).run();
}

void PickleMachine::bad(const std::string& what) const { fail(ErrorKind::weights, where_, "offset ", at_, ": ", what); }

ValueId PickleMachine::make(PickleKind kind) {
  if (pickle_.values.size() >= kMaxValues)
    bad(c10::str("more than ", kMaxValues, " values; the limit is ", kMaxValues));
  pickle_.values.emplace_back().kind = kind;
  return static_cast<ValueId>(pickle_.values.size() - 1);
}

ValueId PickleMachine::make_integer(int64_t number) {
  const ValueId id = make(PickleKind::integer);
  value(id).number = number;
  return id;
}

ValueId PickleMachine::make_long(uint64_t length) {
  const std::string_view raw = reader_.take(length, "long integer");
  if (raw.size() > 8) {
    const ValueId id = make(PickleKind::big_integer);
    value(id).text = raw;
    return id;
  }
  uint64_t number = !raw.empty() && (raw.back() & 0x80) ? ~uint64_t{0} : 0;
  for (size_t i = raw.size(); i-- > 0;) number = number << 8 | static_cast<uint8_t>(raw[i]);
  return make_integer(std::bit_cast<int64_t>(number));
}

ValueId PickleMachine::make_text(PickleKind kind, uint64_t length) {
  const std::string_view text = reader_.take(length, kind == PickleKind::text ? "text" : "bytes");
  const ValueId id = make(kind);
  value(id).text = text;
  return id;
}

void PickleMachine::push(ValueId id) {
  if (stack_.size() >= kMaxStack)
    bad(c10::str("more than ", kMaxStack, " values on the stack; the limit is ", kMaxStack));
  stack_.push_back(id);
}

void PickleMachine::push_mark() {
  if (marks_.size() >= kMaxStack) bad(c10::str("more than ", kMaxStack, " marks; the limit is ", kMaxStack));
  marks_.push_back(stack_.size());
}

ValueId PickleMachine::pop() {
  const ValueId id = top();
  stack_.pop_back();
  return id;
}

ValueId PickleMachine::top() {
  if (stack_.size() <= (marks_.empty() ? 0 : marks_.back())) bad("stack underflow");
  return stack_.back();
}

std::vector<ValueId> PickleMachine::pop_marked() {
  if (marks_.empty()) bad("the MARK that should be on the stack is missing");
  const auto begin = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
  std::vector<ValueId> items(begin, stack_.end());
  stack_.erase(begin, stack_.end());
  marks_.pop_back();
  return items;
}

ValueId PickleMachine::pop_marked_onto(std::vector<ValueId>& items) {
  items = pop_marked();
  return top();
}

void PickleMachine::adopt(PickleValue& parent, ValueId child) {
  const PickleValue& item = value(child);
  if (item.depth + 1 > kMaxDepth) bad(c10::str("nesting depth exceeds ", kMaxDepth, "; the limit is ", kMaxDepth));
  parent.depth = std::max<uint16_t>(parent.depth, static_cast<uint16_t>(item.depth + 1));
  parent.holds_tensor |= item.holds_tensor;
}

void PickleMachine::extend(ValueId container, const std::vector<ValueId>& items, PickleKind expected) {
  PickleValue& target = value(container);
  // Training classes derived from list or dict are objects here; what they are filled with is not needed.
  if (target.kind != expected && target.kind != PickleKind::object) {
    bad("expected a list, dict or set to add to, found " + words_of(pickle_, container));
  }
  if (expected == PickleKind::dict && items.size() % 2 != 0)
    bad(c10::str("dict of ", items.size(), " keys and values; expected an even number"));
  items_ += items.size();
  if (items_ > kMaxItems) bad(c10::str("more than ", kMaxItems, " items; the limit is ", kMaxItems));
  for (const ValueId item : items) adopt(target, item);
  if (target.kind == expected) target.items.insert(target.items.end(), items.begin(), items.end());
}

void PickleMachine::memoize(uint64_t key, ValueId id) {
  if (memo_.size() >= kMaxValues) bad(c10::str("more than ", kMaxValues, " memo entries; the limit is ", kMaxValues));
  memo_[key] = id;
}

}  // namespace keyflow::weights
