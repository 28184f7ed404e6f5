#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "core/error.h"
#include "core/json.h"
#include "weights/formats.h"
#include "weights/tensor_limits.h"

namespace keyflow::weights {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr size_t kMaxShards = 4096;
// weight_map, metadata and their names come on top of one value per tensor.
constexpr JsonLimits kIndexLimits{.depth = 8, .values = kMaxTensors + 1000, .key_bytes = kMaxNameBytes};

json parse_index(const fs::path& path, const std::string& where) {
  const auto file = MappedFile::open(path);
  require(file->size() > 0, ErrorKind::weights, where, ": expected JSON with weight_map, found 0 bytes");
  return parse_json({reinterpret_cast<const char*>(file->data()), file->size()}, where, ErrorKind::weights,
                    kIndexLimits);
}

/// A shard lies beside its index: a plain relative name that climbs nowhere.
void require_plain_name(const std::string& name, const std::string& where, const std::string& key) {
  const fs::path path(name);
  bool climbs = false;
  for (const auto& part : path) climbs |= part == "..";
  require(fault_of_name(name).empty() && !path.is_absolute() && !climbs, ErrorKind::weights, where, ": weight_map: \"",
          printable(key), "\": expected the name of a file in the same folder, found \"", printable(name), "\"");
}

/// Shard -> names of the tensors it is said to hold.
std::map<std::string, std::vector<std::string>> read_weight_map(const json& index, const std::string& where) {
  require(index.is_object(), ErrorKind::weights, where, ": expected an object with weight_map, found ",
          index.type_name());
  const auto map = index.find("weight_map");
  require(map != index.end(), ErrorKind::weights, where, ": expected the key weight_map, which is missing");
  require(map->is_object(), ErrorKind::weights, where, ": weight_map: expected an object, found ", map->type_name());
  require(!map->empty(), ErrorKind::weights, where, ": weight_map: expected at least 1 tensor, found 0");
  std::map<std::string, std::vector<std::string>> shards;
  for (const auto& [key, value] : map->items()) {
    if (!value.is_string()) {
      fail(ErrorKind::weights, where, ": weight_map: \"", printable(key), "\": expected a file name, found a ",
           value.type_name());
    }
    const auto& name = value.get_ref<const std::string&>();
    auto& names = shards[name];
    if (names.empty()) require_plain_name(name, where, key);
    names.push_back(key);
  }
  require(shards.size() <= kMaxShards, ErrorKind::weights, where, ": weight_map names ", shards.size(),
          " files; the limit is ", kMaxShards);
  return shards;
}

class ShardedFile final : public TensorFile {
 public:
  explicit ShardedFile(const fs::path& index) {
    path_ = index;
    const std::string where = printable(index.string(), 400);
    const auto shards = read_weight_map(parse_index(index, where), where);
    const fs::path folder = index.has_parent_path() ? index.parent_path() : fs::path(".");
    for (const auto& [name, names] : shards) require_inside(folder, folder / name);
    std::vector<std::string> faults;
    for (const auto& [name, wanted] : shards) add_shard(folder / name, name, wanted, faults);
    if (!faults.empty()) {
      throw Error(ErrorKind::weights, c10::str(where, " does not fit its files; ", faults.size(), " differences"),
                  faults);
    }
    format_ = "sharded " + shards_[0]->format();
    std::sort(tensors_.begin(), tensors_.end(),
              [](const TensorInfo& a, const TensorInfo& b) { return a.name < b.name; });
  }

  at::Tensor read(const std::string& name) const override {
    const TensorInfo& info = at(name);
    return shards_[shard_of_.at(info.name)]->read(name);
  }

  std::optional<Blocks> blocks(const std::string& name) const override {
    const TensorInfo& info = at(name);
    return shards_[shard_of_.at(info.name)]->blocks(name);
  }

 private:
  void add_shard(const fs::path& path, const std::string& shown, std::vector<std::string> wanted,
                 std::vector<std::string>& faults) {
    const auto shard = open_single(path);
    std::sort(wanted.begin(), wanted.end());
    for (const auto& name : wanted) {
      if (!shard->find(name)) faults.push_back(c10::str("missing     ", printable(name), " in ", printable(shown)));
    }
    for (const auto& info : shard->tensors()) {
      const auto [place, fresh] = shard_of_.emplace(info.name, shards_.size());
      if (!fresh) {
        faults.push_back(c10::str("twice       ", printable(info.name), " in ",
                                  printable(shards_[place->second]->path().filename().string()), " and ",
                                  printable(shown)));
      } else if (!std::binary_search(wanted.begin(), wanted.end(), info.name)) {
        faults.push_back(c10::str("unexpected  ", printable(info.name), " in ", printable(shown)));
      }
      tensors_.push_back(info);
    }
    parts_.insert(parts_.end(), shard->parts().begin(), shard->parts().end());
    shards_.push_back(shard);
  }

  std::vector<std::shared_ptr<TensorFile>> shards_;
  std::unordered_map<std::string, size_t> shard_of_;
};

}  // namespace

std::shared_ptr<TensorFile> open_shards(const fs::path& index) { return std::make_shared<ShardedFile>(index); }

}  // namespace keyflow::weights
