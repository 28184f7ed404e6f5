#include "weights/safetensors_header.h"

#include <nlohmann/json.hpp>
#include <optional>
#include <unordered_set>

#include "core/error.h"
#include "core/shape.h"
#include "weights/dtype_names.h"
#include "weights/tensor_limits.h"

namespace keyflow::weights {
namespace {

using nlohmann::json;

constexpr uint64_t kHeaderStart = 8;
constexpr size_t kMaxDepth = 4;

/// An input iterator that tells how far the parser has read, which its callbacks do not.
struct TrackedChar {
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;
  const char* at;
  const char** furthest;
  reference operator*() const { return *at; }
  TrackedChar& operator++() {
    *furthest = ++at;
    return *this;
  }
  TrackedChar operator++(int) {
    TrackedChar before = *this;
    ++*this;
    return before;
  }
  bool operator==(const TrackedChar& other) const { return at == other.at; }
};

/// What the parser has just seen, in words.
struct Seen {
  std::string words;
  std::optional<int64_t> whole;  ///< a whole number from 0 to 2^63 - 1
  bool text = false;
};

class HeaderReader final : public nlohmann::json_sax<json> {
 public:
  HeaderReader(const std::string& where, const char* begin) : where_(where), begin_(begin), cursor_(begin) {}

  const char** cursor() { return &cursor_; }
  SafetensorsHeader take() { return std::move(header_); }

  bool null() override { return value({"null", {}, false}); }
  bool boolean(bool) override { return value({"a boolean", {}, false}); }
  bool number_integer(number_integer_t number) override {
    return value({c10::str("a number (", number, ")"), {}, false});
  }
  bool number_unsigned(number_unsigned_t number) override {
    Seen seen{c10::str("a number (", number, ")"), {}, false};
    if (number <= static_cast<uint64_t>(INT64_MAX)) seen.whole = static_cast<int64_t>(number);
    return value(seen);
  }
  bool number_float(number_float_t, const string_t& text) override {
    return value({"a number (" + printable(text) + ")", {}, false});
  }
  bool string(string_t& text) override {
    text_ = std::move(text);
    return value({"the text \"" + printable(text_) + "\"", {}, true});
  }
  bool binary(binary_t&) override { return false; }

  bool start_object(std::size_t) override {
    deepen();
    if (depth_ == 1 || ignoring()) return true;
    if (depth_ == 2) {
      if (in_metadata_) return true;
      entry_ = HeaderEntry{};
      entry_.info.name = name_;
      entry_.header_byte = position();
      seen_dtype_ = seen_shape_ = seen_offsets_ = false;
      offsets_.clear();
      return true;
    }
    wrong("an object");
  }
  bool start_array(std::size_t) override {
    if (depth_ == 0) fail(ErrorKind::weights, where_, ": offset 8: expected an object, found an array");
    deepen();
    if (ignoring() || (depth_ == 3 && (field_ == Field::shape || field_ == Field::offsets))) return true;
    wrong("an array");
  }
  bool end_array() override {
    leave();
    return true;
  }
  bool end_object() override {
    leave();
    if (depth_ == 1 && !in_metadata_) finish_entry();
    return true;
  }

  bool key(string_t& text) override {
    if (depth_ == 1) {
      begin_named(std::move(text));
    } else if (in_metadata_) {
      metadata_key_ = std::move(text);
    } else if (depth_ == 2) {
      begin_field(text);
    }
    return true;
  }

  bool parse_error(std::size_t bytes_read, const std::string& token,
                   const nlohmann::detail::exception& error) override {
    const uint64_t offset = kHeaderStart + std::max<size_t>(bytes_read, 1) - 1;
    if (error.id == 406)
      fail(ErrorKind::weights, context(), field_name(), ": number ", printable(token), " is out of range");
    fail(ErrorKind::weights, where_, ": offset ", offset, ": not valid JSON; found \"", printable(token), "\"");
  }

 private:
  enum class Field { none, dtype, shape, offsets, unknown };

  uint64_t position() const { return kHeaderStart + static_cast<uint64_t>(cursor_ - begin_) - 1; }
  bool ignoring() const { return field_ == Field::unknown && depth_ > 2; }
  std::string context() const {
    if (depth_ == 0 || name_.empty()) return where_ + ": ";
    if (in_metadata_) return where_ + ": __metadata__: ";
    return c10::str(where_, ": tensor \"", printable(name_), "\", header byte ",
                    entry_.header_byte ? entry_.header_byte : position(), ": ");
  }
  std::string field_name() const {
    switch (field_) {
      case Field::dtype:
        return "dtype";
      case Field::shape:
        return "shape";
      case Field::offsets:
        return "data_offsets";
      default:
        return "value";
    }
  }

  void deepen() {
    if (++depth_ > kMaxDepth) fail(ErrorKind::weights, context(), "nesting depth exceeds ", kMaxDepth);
  }
  void leave() {
    --depth_;
    if (depth_ == 2 && field_ == Field::unknown) unknown_field();
  }

  void begin_named(std::string name) {
    name_ = std::move(name);
    in_metadata_ = name_ == "__metadata__";
    field_ = Field::none;
    entry_.header_byte = 0;
    const std::string fault = fault_of_name(name_);
    if (!fault.empty()) {
      fail(ErrorKind::weights, where_, ": header byte ", position(), ": tensor name \"", printable(name_), "\" ",
           fault);
    }
    if (!names_.insert(name_).second) fail(ErrorKind::weights, context(), "duplicate key");
  }

  void begin_field(const std::string& text) {
    const auto once = [&](Field field, bool& seen) {
      field_ = field;
      if (seen) fail(ErrorKind::weights, context(), "duplicate key \"", text, "\"");
      seen = true;
    };
    if (text == "dtype") return once(Field::dtype, seen_dtype_);
    if (text == "shape") return once(Field::shape, seen_shape_);
    if (text == "data_offsets") return once(Field::offsets, seen_offsets_);
    field_ = Field::unknown;
    unknown_ = text;
  }
  [[noreturn]] void unknown_field() const {
    fail(ErrorKind::weights, context(), "unknown key \"", printable(unknown_),
         "\"; expected dtype, shape and data_offsets");
  }

  [[noreturn]] void wrong(const std::string& found) const {
    const char* expected = depth_ <= 1 || (depth_ == 2 && field_ == Field::none) ? "an object"
                           : field_ == Field::dtype                              ? "a text"
                           : field_ == Field::shape                              ? "whole numbers from 0 to 2^63 - 1"
                           : field_ == Field::offsets ? "two whole numbers from 0 to 2^63 - 1"
                                                      : "a text";
    const std::string what = field_ == Field::none ? "" : field_name() + ": ";
    fail(ErrorKind::weights, context(), what, "expected ", expected, ", found ", found);
  }

  bool value(const Seen& seen) {
    if (depth_ == 0) fail(ErrorKind::weights, where_, ": offset 8: expected an object, found ", seen.words);
    if (ignoring()) return true;
    if (depth_ == 1) wrong(seen.words);
    if (in_metadata_) return metadata_value(seen);
    if (field_ == Field::unknown) unknown_field();
    if (field_ == Field::dtype) return dtype_value(seen);
    if (depth_ != 3 || !seen.whole) wrong(seen.words);
    if (field_ == Field::offsets) {
      offsets_.push_back(*seen.whole);
      if (offsets_.size() > 2) fail(ErrorKind::weights, context(), "data_offsets: expected two numbers, found more");
    } else {
      entry_.info.shape.push_back(*seen.whole);
      if (entry_.info.shape.size() > kMaxRank) {
        fail(ErrorKind::weights, context(), "shape has more than ", kMaxRank, " dimensions; the limit is ", kMaxRank);
      }
    }
    return true;
  }
  bool metadata_value(const Seen& seen) {
    if (!seen.text)
      fail(ErrorKind::weights, context(), "\"", printable(metadata_key_), "\": expected a text, found ", seen.words);
    if (!header_.metadata.emplace(metadata_key_, text_).second) {
      fail(ErrorKind::weights, context(), "duplicate key \"", printable(metadata_key_), "\"");
    }
    return true;
  }
  bool dtype_value(const Seen& seen) {
    const auto type = seen.text ? dtype_from_safetensors(text_) : std::nullopt;
    if (!type)
      fail(ErrorKind::weights, context(), "dtype: expected one of ", safetensors_names(), "; found ", seen.words);
    entry_.info.dtype = *type;
    return true;
  }

  void finish_entry() {
    if (!seen_dtype_) fail(ErrorKind::weights, context(), "expected dtype, which is missing");
    if (!seen_shape_) fail(ErrorKind::weights, context(), "expected shape, which is missing");
    if (!seen_offsets_) fail(ErrorKind::weights, context(), "expected data_offsets, which is missing");
    if (offsets_.size() != 2) {
      fail(ErrorKind::weights, context(), "data_offsets: expected two numbers, found ", offsets_.size());
    }
    const TensorInfo& info = entry_.info;
    const auto bytes = byte_size(info.shape, c10::elementSize(info.dtype));
    if (!bytes) fail(ErrorKind::weights, context(), overflow_text(info.shape, c10::elementSize(info.dtype)));
    entry_.begin = static_cast<uint64_t>(offsets_[0]);
    entry_.end = static_cast<uint64_t>(offsets_[1]);
    const std::string range = shape_text(offsets_);
    if (entry_.end < entry_.begin)
      fail(ErrorKind::weights, context(), "data_offsets ", range, " end before they begin");
    if (entry_.end - entry_.begin != *bytes) {
      fail(ErrorKind::weights, context(), safetensors_name(info.dtype), " ", shape_text(info.shape),
           " at data_offsets ", range, ": expected ", *bytes, " bytes, found ", entry_.end - entry_.begin);
    }
    if (header_.entries.size() >= kMaxTensors) {
      fail(ErrorKind::weights, where_, ": more than ", kMaxTensors, " tensors; the limit is ", kMaxTensors);
    }
    header_.entries.push_back(std::move(entry_));
    field_ = Field::none;
  }

  const std::string& where_;
  const char* begin_;
  const char* cursor_;
  size_t depth_ = 0;
  Field field_ = Field::none;
  bool in_metadata_ = false, seen_dtype_ = false, seen_shape_ = false, seen_offsets_ = false;
  std::string name_, text_, unknown_, metadata_key_;
  std::vector<int64_t> offsets_;
  HeaderEntry entry_;
  std::unordered_set<std::string> names_;
  SafetensorsHeader header_;
};

}  // namespace

SafetensorsHeader parse_safetensors_header(std::string_view text, const std::string& where) {
  require(!text.starts_with("\xEF\xBB\xBF"), ErrorKind::weights, where,
          ": offset 8: expected JSON, found a byte-order mark");
  // nlohmann takes a NUL for the end of input and never looks behind it.
  const auto nul = text.find('\0');
  if (nul != text.npos) {
    fail(ErrorKind::weights, where, ": offset ", kHeaderStart + nul, ": expected JSON, found a NUL byte");
  }
  HeaderReader reader(where, text.data());
  json::sax_parse(TrackedChar{text.data(), reader.cursor()}, TrackedChar{text.data() + text.size(), reader.cursor()},
                  &reader);
  return reader.take();
}

}  // namespace keyflow::weights
