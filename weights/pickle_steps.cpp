// What each opcode does to the stack; their numbers stand in Python's Lib/pickletools.py.
#include "weights/pickle_machine.h"

namespace keyflow::weights {
namespace {

std::string hex(uint8_t byte) {
  constexpr const char* digits = "0123456789abcdef";
  return {'0', 'x', digits[byte >> 4], digits[byte & 15]};
}

}  // namespace

Pickle PickleMachine::run() {
  none_ = make(PickleKind::none);
  false_ = make(PickleKind::boolean);
  true_ = make(PickleKind::boolean);
  value(true_).number = 1;
  empty_tuple_ = make(PickleKind::tuple);
  while (true) {
    at_ = reader_.offset();
    if (reader_.left() == 0) bad("the pickle ends without STOP");
    const auto opcode = static_cast<uint8_t>(reader_.number(1, "opcode"));
    if (opcode == '.') break;
    step(opcode);
  }
  pickle_.root = pop();
  if (!stack_.empty() || !marks_.empty())
    bad(c10::str("STOP leaves ", stack_.size(), " values on the stack; expected 0"));
  pickle_.end = reader_.offset();
  return std::move(pickle_);
}

void PickleMachine::step(uint8_t opcode) {
  if (opcode == 0x80 || opcode == 0x95) return header(opcode);
  if (step_number(opcode) || step_text(opcode) || step_container(opcode) || step_memo(opcode) || step_call(opcode))
    return;
  switch (opcode) {
    case 'P':
    case 'I':
    case 'L':
    case 'F':
    case 'S':
    case 'V':
    case 'g':
    case 'p':
      bad("text opcode " + hex(opcode) + " of protocol 0; expected a binary protocol, as torch.save writes it");
    case 'i':
    case 'o':
      bad("opcode " + hex(opcode) + " makes an object of any class; torch.save never writes it");
    case 0x82:
    case 0x83:
    case 0x84:
      bad("opcode " + hex(opcode) + " asks for a registered extension; expected none");
    default:
      bad("unknown opcode " + hex(opcode));
  }
}

void PickleMachine::header(uint8_t opcode) {
  if (opcode == 0x80) {
    const uint64_t protocol = reader_.number(1, "protocol");
    if (protocol < 2 || protocol > 5) bad(c10::str("protocol ", protocol, "; expected 2 to 5"));
    return;
  }
  const uint64_t length = reader_.number(8, "frame length");
  if (at_ < frame_end_) bad(c10::str("frame inside a frame that ends at ", frame_end_));
  if (length > reader_.left()) bad(c10::str("frame of ", length, " bytes; expected at most ", reader_.left()));
  frame_end_ = reader_.offset() + length;
}

bool PickleMachine::step_number(uint8_t opcode) {
  switch (opcode) {
    case 'N':
      push(none_);
      return true;
    case 0x88:
      push(true_);
      return true;
    case 0x89:
      push(false_);
      return true;
    case 'J':
      push(make_integer(static_cast<int32_t>(reader_.number(4, "integer"))));
      return true;
    case 'K':
      push(make_integer(static_cast<int64_t>(reader_.number(1, "integer"))));
      return true;
    case 'M':
      push(make_integer(static_cast<int64_t>(reader_.number(2, "integer"))));
      return true;
    case 0x8a:
      push(make_long(reader_.number(1, "length")));
      return true;
    case 0x8b:
      push(make_long(reader_.number(4, "length")));
      return true;
    case 'G':
      reader_.take(8, "float");
      push(make(PickleKind::real));
      return true;
    default:
      return false;
  }
}

bool PickleMachine::step_text(uint8_t opcode) {
  const auto text = [&](PickleKind kind, int width) { push(make_text(kind, reader_.number(width, "length"))); };
  switch (opcode) {
    case 'U':
    case 0x8c:
      text(PickleKind::text, 1);
      return true;
    case 'T':
    case 'X':
      text(PickleKind::text, 4);
      return true;
    case 0x8d:
      text(PickleKind::text, 8);
      return true;
    case 'C':
      text(PickleKind::bytes, 1);
      return true;
    case 'B':
      text(PickleKind::bytes, 4);
      return true;
    case 0x8e:
    case 0x96:
      text(PickleKind::bytes, 8);
      return true;
    default:
      return false;
  }
}

bool PickleMachine::step_container(uint8_t opcode) {
  const auto tuple_of = [&](std::vector<ValueId> items) {
    const ValueId id = make(PickleKind::tuple);
    extend(id, items, PickleKind::tuple);
    push(id);
  };
  const auto container_of_marked = [&](PickleKind kind) {
    const auto items = pop_marked();
    const ValueId id = make(kind);
    extend(id, items, kind);
    push(id);
  };
  const auto extend_marked = [&](PickleKind kind) {
    std::vector<ValueId> items;
    extend(pop_marked_onto(items), items, kind);
  };
  switch (opcode) {
    case '(':
      push_mark();
      return true;
    case ')':
      push(empty_tuple_);
      return true;
    case ']':
      push(make(PickleKind::list));
      return true;
    case '}':
      push(make(PickleKind::dict));
      return true;
    case 0x8f:
      push(make(PickleKind::set));
      return true;
    case 't':
      container_of_marked(PickleKind::tuple);
      return true;
    case 'l':
      container_of_marked(PickleKind::list);
      return true;
    case 'd':
      container_of_marked(PickleKind::dict);
      return true;
    case 0x91:
      container_of_marked(PickleKind::set);
      return true;
    case 'e':
      extend_marked(PickleKind::list);
      return true;
    case 'u':
      extend_marked(PickleKind::dict);
      return true;
    case 0x90:
      extend_marked(PickleKind::set);
      return true;
    case 0x85:
      tuple_of({pop()});
      return true;
    case 0x86: {
      const ValueId second = pop(), first = pop();
      tuple_of({first, second});
      return true;
    }
    case 0x87: {
      const ValueId third = pop(), second = pop(), first = pop();
      tuple_of({first, second, third});
      return true;
    }
    case 'a': {
      const ValueId item = pop();
      extend(top(), {item}, PickleKind::list);
      return true;
    }
    case 's': {
      const ValueId item = pop(), key = pop();
      extend(top(), {key, item}, PickleKind::dict);
      return true;
    }
    default:
      return false;
  }
}

bool PickleMachine::step_memo(uint8_t opcode) {
  const auto recall = [&](uint64_t key) {
    const auto found = memo_.find(key);
    if (found == memo_.end()) bad(c10::str("memo entry ", key, " is not set"));
    push(found->second);
  };
  switch (opcode) {
    case '0':
      pop();
      return true;
    case '1':
      pop_marked();
      return true;
    case '2':
      push(top());
      return true;
    case 'h':
      recall(reader_.number(1, "memo key"));
      return true;
    case 'j':
      recall(reader_.number(4, "memo key"));
      return true;
    case 'q':
      memoize(reader_.number(1, "memo key"), top());
      return true;
    case 'r':
      memoize(reader_.number(4, "memo key"), top());
      return true;
    case 0x94:
      memoize(memo_.size(), top());
      return true;
    default:
      return false;
  }
}

bool PickleMachine::step_call(uint8_t opcode) {
  switch (opcode) {
    case 'c': {
      const std::string_view module = reader_.line("module");
      push(push_global(module, reader_.line("name")));
      return true;
    }
    case 0x93: {
      const ValueId name = pop(), module = pop();
      if (value(name).kind != PickleKind::text || value(module).kind != PickleKind::text) {
        bad("STACK_GLOBAL: expected two texts, found " + words_of(pickle_, module) + " and " + words_of(pickle_, name));
      }
      push(push_global(value(module).text, value(name).text));
      return true;
    }
    case 'R': {
      const ValueId arguments = pop(), callee = pop();
      push(call(callee, arguments));
      return true;
    }
    case 0x81: {
      const ValueId arguments = pop(), type = pop();
      push(new_object(type, arguments));
      return true;
    }
    case 0x92: {
      pop();
      const ValueId arguments = pop(), type = pop();
      push(new_object(type, arguments));
      return true;
    }
    case 'b': {
      const ValueId state = pop();
      build(top(), state);
      return true;
    }
    case 'Q':
      push(persistent(pop()));
      return true;
    default:
      return false;
  }
}

}  // namespace keyflow::weights
