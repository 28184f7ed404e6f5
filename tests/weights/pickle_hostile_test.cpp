// robustness.md §5: what the pickle machine must refuse without running anything.
#include "tests/weights/pickle_bytes.h"

namespace keyflow::weights::testing {
namespace {

using namespace std::string_literals;

/// The bytes as archive/data.pkl of a checkpoint.
Hostile pickle_row(const std::string& id, const std::string& pickle, std::vector<std::string> names,
                   const std::vector<std::pair<std::string, std::string>>& storages = {}) {
  return bytes_row(id, checkpoint(pickle, storages), std::move(names), ErrorKind::weights, "model.pth");
}

const std::string kTouch = "U\x0btouch PWNED";
const std::string kCode = "tries to run code";

std::vector<Hostile> code_rows() {
  const auto runs = [](const std::string& id, const std::string& body, const std::string& name) {
    return pickle_row(id, "\x80\x02" + body, {kCode, name});
  };
  const std::string weights = op::tensor(op::storage("FloatStorage", "0", 1), 0, {1}, {1});
  return {
      runs("P01", "cos\nsystem\n(" + kTouch + "tR.", "os.system"),
      bytes_row("P01_bare",
                "\x80\x02"
                "cos\nsystem\n(" +
                    kTouch + "tR.",
                {kCode, "os.system", "offset 2"}, ErrorKind::weights, "model.ckpt"),
      runs("P01_posix", "cposix\nsystem\n(" + kTouch + "tR.", "posix.system"),
      runs("P01_subprocess", "csubprocess\nPopen\n(" + kTouch + "tR.", "subprocess.Popen"),
      runs("P01_beside_weights", "}(" + op::text("a") + weights + op::text("b") + "cos\nsystem\n(" + kTouch + "tRu.",
           "os.system"),
      pickle_row("P02",
                 "\x80\x02"
                 "ctorch\nSize\n" +
                     kTouch + "tR.",
                 {"offset", "MARK"}),
      runs("P02_os", "cos\nsystem\n" + kTouch + "tR.", "os.system"),
      runs("P03_stack_global",
           "\x8c\x08"
           "builtins\x8c\x04"
           "eval\x93(" +
               kTouch + "tR.",
           "builtins.eval"),
      runs("P03_getattr", "c__builtin__\ngetattr\n(" + kTouch + "tR.", "__builtin__.getattr"),
      runs("P03_import", "cbuiltins\n__import__\n(" + kTouch + "tR.", "builtins.__import__"),
      runs("P03_hub", "ctorch.hub\nload\n(" + kTouch + "tR.", "torch.hub.load"),
      runs("P03_torch_load", "ctorch\nload\n(" + kTouch + "tR.", "torch.load"),
      runs("P03_dotted", "\x8c\x05torch\x8c\x09os.system\x93(" + kTouch + "tR.", "torch.os.system"),
      runs("P03_importlib", "cimportlib\nimport_module\n(" + kTouch + "tR.", "importlib.import_module"),
      runs("P03_runpy", "crunpy\nrun_path\n(" + kTouch + "tR.", "runpy.run_path"),
      pickle_row("P03_inst", "\x80\x02(" + kTouch + "ios\nsystem\n.", {"offset", "0x69"}),
      pickle_row("P03_obj", "\x80\x02(ccollections\nOrderedDict\n" + kTouch + "o.", {"offset", "0x6f"}),
      runs("P03_obj_os", "(cos\nsystem\n" + kTouch + "o.", "os.system"),
      pickle_row("P03_newobj",
                 "\x80\x02"
                 "cevil\nThing\n(" +
                     kTouch + "t\x81.",
                 {"evil.Thing", "expected a dict of tensors"}),
      pickle_row("P03_newobj_ex",
                 "\x80\x04"
                 "cevil\nThing\n)}\x92.",
                 {"evil.Thing", "expected a dict of tensors"}),
      runs("P03_setstate", "cevil\nThing\n)\x81}U\x0c__setstate__cevil\nrun\nsb.", "__setstate__"),
      pickle_row("P03_ext1", "\x80\x02\x82\x01.", {"offset 2", "0x82", "extension"}),
      pickle_row("P03_ext2", "\x80\x02\x83\x01\x00."s, {"offset 2", "0x83"}),
      pickle_row("P03_ext4", "\x80\x02\x84\x01\x00\x00\x00."s, {"offset 2", "0x84"}),
      pickle_row("P03_tensor_of_a_class", op::pickle(op::dict({{"w", "cevil\nMake\n(" + weights + "tR"}})),
                 {"\"w\"", "evil.Make", "plain tensor"}, {{"0", std::string(4, '\0')}}),
      pickle_row("P03_whole_module", op::pickle("cmodels\nNet\n)\x81}(" + op::text("a") + weights + "ub"),
                 {"models.Net", "state_dict"}, {{"0", std::string(4, '\0')}}),
      pickle_row("P03_call_of_a_tensor", op::pickle(weights + "(tR"), {"offset", "a tensor"}),
  };
}

std::vector<Hostile> length_rows() {
  const auto at_2 = [](const std::string& id, const std::string& body, std::vector<std::string> names) {
    names.push_back("offset ");
    return pickle_row(id, "\x80\x04" + body, std::move(names));
  };
  return {
      at_2("P04_unicode", "X\xff\xff\xff\x7f", {"2147483647", "found 0"}),
      at_2("P04_bytes8", "\x8e" + little(uint64_t{1} << 63, 8), {"9223372036854775808", "found 0"}),
      at_2("P04_unicode8", "\x8d" + little(~uint64_t{0}, 8), {"18446744073709551615", "found 0"}),
      at_2("P04_bytearray8", "\x96" + little(uint64_t{1} << 40, 8), {"1099511627776"}),
      at_2("P04_long4", "\x8b\xff\xff\xff\xff", {"4294967295", "found 0"}),
      at_2("P04_frame", "\x95" + little(uint64_t{1} << 40, 8) + "N.", {"frame", "1099511627776", "2"}),
      at_2("P04_frame_inside", "\x95" + little(12, 8) + "\x95" + little(2, 8) + "N..", {"frame inside"}),
      at_2("P04_string",
           "U\x05"
           "ab",
           {"expected 5 bytes", "found 2"}),
      at_2("P04_global", "ctorch", {"no end of line"}),
      at_2("P07_underflow", "0.", {"stack underflow"}),
      at_2("P07_reduce", "NR.", {"stack underflow"}),
      at_2("P07_below_mark", "N(a.", {"stack underflow"}),
      at_2("P07_no_mark", "Nt.", {"MARK"}),
      at_2("P07_get", "h\x07.", {"memo entry 7"}),
      at_2("P07_long_get", "j\xff\xff\xff\xff.", {"memo entry 4294967295"}),
      at_2("P07_odd_dict", "}(NNNu.", {"3 keys"}),
      at_2("P07_append_to_number", "K\x01Na.", {"a number (1)"}),
      at_2("P09_unknown", "\xf0.", {"offset 2", "0xf0"}),
      at_2("P09_no_stop", "N", {"STOP", "offset 3"}),
      at_2("P09_tail", "N.NNN", {"offset 4", "3 bytes after STOP"}),
      at_2("P09_stack_left", "NN.", {"STOP leaves 1"}),
      pickle_row("P09_protocol_6", "\x80\x06N.", {"offset 0", "protocol 6"}),
      pickle_row("P09_protocol_0_text", "(lp0\n.", {"offset", "0x70"}),
      at_2("P09_empty", "", {"STOP"}),
  };
}

std::string repeated(const std::string& piece, size_t count) {
  std::string bytes;
  for (size_t i = 0; i < count; ++i) bytes += piece;
  return bytes;
}

std::vector<Hostile> size_rows() {
  const auto limit = [](const std::string& id, const std::string& body) {
    return pickle_row(id, "\x80\x02" + body + ".", {"offset", "limit"});
  };
  return {
      limit("P08_tuples", ")" + repeated("\x85", 1'000'000)),
      limit("P08_lists", repeated("]", 1'000'000) + repeated("a", 999'999)),
      limit("P08_lists_outer_first", "]q\1" + repeated("]q\2h\1h\2a0h\2q\1", 100'000)),
      limit("P08_marks", repeated("(", 1'000'000)),
      limit("P08_values", repeated("]0", 1'000'000)),
      limit("P08_memo",
            [] {
              std::string bytes = "N";
              for (uint64_t i = 0; i < 700'000; ++i) bytes += "r" + little(i, 4);
              return bytes;
            }()),
      limit("P08_copies", "](" + repeated("N", 60'000) + "eq\1" + repeated("c__builtin__\nlist\n(h\1tR0", 10'000)),
      pickle_row("P08_dict_in_itself", "\x80\x02}q\1" + op::text("x") + "h\1s.", {"limit"}),
      pickle_row("P08_dicts_in_each_other",
                 "\x80\x02}q\1(" + op::text("x") + "}q\2(" + op::text("y") + "h\1" + op::text("z") + "h\1uu.",
                 {"limit"}),
  };
}

std::vector<Hostile> storage_rows() {
  const auto storage_of = [](const std::string& id, const std::string& storage, std::vector<std::string> names) {
    return pickle_row(id, op::pickle(op::dict({{"a", op::tensor(storage, 0, {1}, {1})}})), std::move(names),
                      {{"0", std::string(4, '\0')}});
  };
  const auto tensor_of = [](const std::string& id, const std::vector<int64_t>& sizes,
                            const std::vector<int64_t>& strides, int64_t offset, std::vector<std::string> names) {
    names.push_back("tensor \"a\"");
    return bytes_row(id, one_tensor(sizes, strides, offset), std::move(names), ErrorKind::weights, "model.pth");
  };
  return {
      storage_of("P10_text", op::text("0") + "Q", {"persistent id", "the text \"0\""}),
      storage_of("P10_short", op::tuple({op::text("storage")}) + "Q", {"persistent id"}),
      storage_of("P10_other", op::tuple({op::text("module"), "N", "N", "N", "N"}) + "Q", {"persistent id", "module"}),
      storage_of("P10_type", op::storage("QInt8Storage", "0", 1), {"storage type", "QInt8Storage"}),
      storage_of("P10_dots", op::storage("FloatStorage", "..", 1), {"storage \"..\""}),
      storage_of("P10_slash", op::storage("FloatStorage", "../0", 1), {"storage \"../0\""}),
      storage_of("P10_backslash", op::storage("FloatStorage", "x\\0", 1), {"storage \"x\\0\""}),
      storage_of("P11_missing", op::storage("FloatStorage", "1", 1), {"archive/data/1", "4 bytes", "missing"}),
      storage_of("P11_short", op::storage("FloatStorage", "0", 2), {"archive/data/0", "expected 8 bytes", "found 4"}),
      storage_of("P11_negative", op::storage("FloatStorage", "0", -1), {"storage \"0\"", "-1"}),
      storage_of("P11_huge", op::storage("FloatStorage", "0", int64_t{1} << 62),
                 {"storage \"0\"", "4611686018427387904"}),
      tensor_of("P12_size", {5}, {1}, 0, {"last index 4", "4 elements"}),
      tensor_of("P12_stride", {2}, {4}, 0, {"last index 4", "4 elements"}),
      tensor_of("P12_offset", {2}, {1}, 3, {"last index 4", "4 elements"}),
      tensor_of("P12_negative_offset", {1}, {1}, -1, {"offset -1"}),
      tensor_of("P12_negative_stride", {2}, {-1}, 1, {"[-1]"}),
      tensor_of("P12_negative_size", {-2}, {1}, 0, {"[-2]"}),
      tensor_of("P12_product", {int64_t{1} << 32, int64_t{1} << 32}, {0, 0}, 0, {"overflows", "2^64"}),
      tensor_of("P12_index_overflow", {3, 3}, {int64_t{1} << 62, int64_t{1} << 62}, 0,
                {"last index overflows", "4 elements"}),
      tensor_of("P12_zero_stride_bomb", {int64_t{1} << 40}, {0}, 0, {"limit", "4398046511104 bytes"}),
      tensor_of("P12_rank", {1, 1}, {1}, 0, {}),
  };
}

class PickleHostile : public ::testing::TestWithParam<Hostile> {};
TEST_P(PickleHostile, IsRefused) { expect_refused(GetParam()); }

auto without_tensor_name(std::vector<Hostile> rows) {
  // A tensor with fewer strides than sizes is refused before its name is known.
  for (auto& row : rows) {
    if (row.id == "P12_rank") row.names = {"offset", "2 sizes but 1 strides", "model.pth"};
  }
  return rows;
}

INSTANTIATE_TEST_SUITE_P(Code, PickleHostile, ::testing::ValuesIn(code_rows()), row_name);
INSTANTIATE_TEST_SUITE_P(Lengths, PickleHostile, ::testing::ValuesIn(length_rows()), row_name);
INSTANTIATE_TEST_SUITE_P(Sizes, PickleHostile, ::testing::ValuesIn(size_rows()), row_name);
INSTANTIATE_TEST_SUITE_P(Storages, PickleHostile, ::testing::ValuesIn(without_tensor_name(storage_rows())), row_name);

}  // namespace
}  // namespace keyflow::weights::testing
