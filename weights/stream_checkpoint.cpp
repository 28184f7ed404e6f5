#include <map>

#include "core/error.h"
#include "weights/byte_reader.h"
#include "weights/checkpoint.h"

// The stream of torch.save before 1.6 (torch/serialization.py, _legacy_load): a magic number, a protocol number, facts
// about the machine, the object and the storage keys, each a pickle; then per key a count of elements and the bytes.
namespace keyflow::weights {
namespace {

constexpr std::string_view kMagic("\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", 10);

void require_little_endian(const Pickle& facts, const std::string& where) {
  const auto& items = facts.values[facts.root].items;
  for (size_t i = 0; i + 1 < items.size(); i += 2) {
    if (facts.values[items[i]].text != "little_endian") continue;
    require(facts.values[items[i + 1]].number == 1, ErrorKind::unsupported, where,
            "byte order: expected little, found big");
  }
}

std::map<std::string, Extent> find_storages(const MappedFile& file, const Pickle& object, const Pickle& keys,
                                            const std::string& where) {
  std::map<std::string, size_t> item_bytes;
  for (const auto& storage : object.storages) item_bytes.emplace(storage.key, c10::elementSize(storage.dtype));
  require(keys.values[keys.root].kind == PickleKind::list, ErrorKind::weights, where,
          "storage keys: expected a list, found ", words_of(keys, keys.root));
  std::map<std::string, Extent> extents;
  ByteReader reader({file.data(), file.size()}, where, keys.end);
  for (const ValueId id : keys.values[keys.root].items) {
    const std::string key(keys.values[id].text);
    const auto known = item_bytes.find(key);
    if (known == item_bytes.end())
      fail(ErrorKind::weights, where, "storage key \"", printable(key), "\" belongs to no tensor");
    const uint64_t count = reader.number(8, "element count");
    if (count > reader.left() / known->second) {
      fail(ErrorKind::weights, where, "storage \"", printable(key), "\" at offset ", reader.offset(), ": ", count,
           " elements; expected at most ", reader.left() / known->second);
    }
    const Extent extent{reader.offset(), count * known->second};
    reader.take(extent.bytes, "storage");
    if (!extents.emplace(key, extent).second)
      fail(ErrorKind::weights, where, "storage \"", printable(key), "\" occurs twice");
  }
  require(reader.left() == 0, ErrorKind::weights, where, "offset ", reader.offset(), ": ", reader.left(),
          " bytes after the last storage; expected 0");
  return extents;
}

}  // namespace

std::shared_ptr<TensorFile> open_stream_checkpoint(std::shared_ptr<MappedFile> file) {
  const std::string where = printable(file->path().string(), 400) + ": ";
  const std::span<const uint8_t> bytes(file->data(), file->size());
  const Pickle magic = read_pickle(bytes, 0, where);
  const PickleValue& number = magic.values[magic.root];
  require(number.kind == PickleKind::big_integer && number.text == kMagic, ErrorKind::weights, where,
          "a pickle, but not one of torch.save; expected its magic number, found ", words_of(magic, magic.root));
  const Pickle protocol = read_pickle(bytes, magic.end, where);
  require(protocol.values[protocol.root].number == 1001, ErrorKind::unsupported, where,
          "protocol: expected 1001, found ", words_of(protocol, protocol.root));
  const Pickle facts = read_pickle(bytes, protocol.end, where);
  require_little_endian(facts, where);
  const Pickle object = read_pickle(bytes, facts.end, where);
  const Pickle keys = read_pickle(bytes, object.end, where);
  const auto extents = find_storages(*file, object, keys, where);
  return make_checkpoint(file, object, {0, keys.end}, [&](const PickleStorage& storage) -> Extent {
    const auto found = extents.find(storage.key);
    if (found == extents.end()) fail(ErrorKind::weights, where, "storage \"", printable(storage.key), "\" is missing");
    if (found->second.bytes < storage.bytes) {
      fail(ErrorKind::weights, where, "storage \"", printable(storage.key), "\": expected ", storage.bytes,
           " bytes, found ", found->second.bytes);
    }
    return found->second;
  });
}

}  // namespace keyflow::weights
