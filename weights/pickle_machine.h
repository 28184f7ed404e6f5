#pragma once
#include "weights/byte_reader.h"
#include "weights/pickle.h"

namespace keyflow::weights {

/// The stack machine behind read_pickle.
class PickleMachine {
 public:
  PickleMachine(std::span<const uint8_t> bytes, uint64_t begin, const std::string& where)
      : reader_(bytes, where, begin), where_(where), end_(bytes.size()) {}

  /// Runs to STOP.
  Pickle run();

 private:
  // pickle_steps.cpp
  void step(uint8_t opcode);
  bool step_number(uint8_t opcode);
  bool step_text(uint8_t opcode);
  bool step_container(uint8_t opcode);
  bool step_memo(uint8_t opcode);
  bool step_call(uint8_t opcode);
  void header(uint8_t opcode);

  // pickle_machine.cpp
  [[noreturn]] void bad(const std::string& what) const;
  PickleValue& value(ValueId id) { return pickle_.values[id]; }
  ValueId make(PickleKind kind);
  ValueId make_integer(int64_t number);
  ValueId make_long(uint64_t length);
  ValueId make_text(PickleKind kind, uint64_t length);
  void push(ValueId id);
  void push_mark();
  ValueId pop();
  ValueId top();
  /// The values above the last MARK, which are taken off with it.
  std::vector<ValueId> pop_marked();
  /// The value below the last MARK, and the values above it, taken off.
  ValueId pop_marked_onto(std::vector<ValueId>& items);
  void extend(ValueId container, const std::vector<ValueId>& items, PickleKind expected);
  void adopt(PickleValue& parent, ValueId child);
  void memoize(uint64_t key, ValueId id);

  // pickle_call.cpp: what stands in for calls
  ValueId push_global(std::string_view module, std::string_view name);
  ValueId call(ValueId callee, ValueId arguments);
  ValueId new_object(ValueId type, ValueId arguments);
  void build(ValueId target, ValueId state);
  ValueId persistent(ValueId id);
  ValueId inert(const PickleValue& callee, ValueId arguments);
  ValueId container_from(PickleKind kind, const std::vector<ValueId>& arguments);
  ValueId rebuild_tensor(const std::vector<ValueId>& arguments, bool with_dtype);
  PickleStorage storage_from(const std::vector<ValueId>& items);
  int64_t whole_number(ValueId id, const char* what);
  std::vector<int64_t> whole_numbers(ValueId id, const char* what);
  void refuse_setstate(ValueId state);

  ByteReader reader_;
  const std::string& where_;
  uint64_t end_;
  uint64_t at_ = 0;  // offset of the opcode being run
  uint64_t frame_end_ = 0;
  Pickle pickle_;
  size_t items_ = 0;  // of all containers together
  std::vector<ValueId> stack_;
  std::vector<size_t> marks_;  // stack sizes
  std::unordered_map<uint64_t, ValueId> memo_;
  std::unordered_map<std::string, int64_t> global_index_;
  ValueId none_ = 0, false_ = 0, true_ = 0, empty_tuple_ = 0;
};

}  // namespace keyflow::weights
