#include "tests/weights/pickle_bytes.h"

namespace keyflow::weights::testing {
using namespace std::string_literals;

std::string zip(const std::vector<ZipSpec>& entries, int count) {
  std::string archive, directory;
  for (const auto& entry : entries) {
    const uint64_t size = entry.directory_size < 0 ? entry.bytes.size() : static_cast<uint64_t>(entry.directory_size);
    const uint64_t offset = entry.offset < 0 ? archive.size() : static_cast<uint64_t>(entry.offset);
    const auto sizes = [&](uint64_t bytes) { return little(bytes, 4) + little(bytes, 4); };
    archive += "PK\3\4" + little(20, 2) + little(entry.flags, 2) + little(entry.method, 2) + little(0, 8) +
               sizes(entry.bytes.size()) + little(entry.local_name.size(), 2) + little(0, 2) + entry.local_name +
               entry.bytes;
    directory += "PK\1\2" + little(20, 4) + little(entry.flags, 2) + little(entry.method, 2) + little(0, 8) +
                 sizes(size) + little(entry.name.size(), 2) + little(0, 4) + little(0, 8) + little(offset, 4) +
                 entry.name;
  }
  const int stated = count < 0 ? static_cast<int>(entries.size()) : count;
  return archive + directory + "PK\5\6" + little(0, 4) + little(stated, 2) + little(stated, 2) +
         little(directory.size(), 4) + little(archive.size(), 4) + little(0, 2);
}

std::string checkpoint(const std::string& pickle, const std::vector<std::pair<std::string, std::string>>& storages) {
  std::vector<ZipSpec> entries = {{"archive/data.pkl", pickle}};
  for (const auto& [key, bytes] : storages) entries.push_back({"archive/data/" + key, bytes});
  return zip(entries);
}

namespace op {

std::string text(const std::string& value) { return "X" + little(value.size(), 4) + value; }

std::string number(int64_t value) {
  if (value == static_cast<int32_t>(value)) return "J" + little(static_cast<uint64_t>(value), 4);
  return "\x8a\x08" + little(static_cast<uint64_t>(value), 8);
}

std::string tuple(const std::vector<std::string>& items) {
  std::string bytes = "(";
  for (const auto& item : items) bytes += item;
  return bytes + "t";
}

std::string global(const std::string& module, const std::string& name) { return "c" + module + "\n" + name + "\n"; }

std::string storage(const std::string& type, const std::string& key, int64_t count) {
  return tuple({text("storage"), global("torch", type), text(key), text("cpu"), number(count)}) + "Q";
}

std::string tensor(const std::string& storage, int64_t offset, const std::vector<int64_t>& sizes,
                   const std::vector<int64_t>& strides) {
  const auto numbers = [](const std::vector<int64_t>& values) {
    std::vector<std::string> items;
    for (const int64_t value : values) items.push_back(number(value));
    return tuple(items);
  };
  return global("torch._utils", "_rebuild_tensor_v2") +
         tuple({storage, number(offset), numbers(sizes), numbers(strides), "\x89", "}"}) + "R";
}

std::string dict(const std::vector<std::pair<std::string, std::string>>& items) {
  std::string bytes = "}(";
  for (const auto& [key, value] : items) bytes += text(key) + value;
  return bytes + "u";
}

std::string pickle(const std::string& value) { return "\x80\x02" + value + "."; }

}  // namespace op

std::string one_tensor(const std::vector<int64_t>& sizes, const std::vector<int64_t>& strides, int64_t offset,
                       int64_t count) {
  std::string floats;
  for (int64_t i = 0; i < count; ++i) {
    const auto value = static_cast<float>(i);
    floats.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  return checkpoint(
      op::pickle(op::dict({{"a", op::tensor(op::storage("FloatStorage", "0", count), offset, sizes, strides)}})),
      {{"0", floats}});
}

}  // namespace keyflow::weights::testing
