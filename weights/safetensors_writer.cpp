#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>

#include "core/error.h"
#include "core/files.h"
#include "weights/dtype_names.h"
#include "weights/tensor_file.h"
#include "weights/tensor_limits.h"
#include "weights/tensor_writer.h"

namespace keyflow::weights {
namespace {

void require_names(const std::vector<TensorToWrite>& tensors, const std::string& where) {
  std::set<std::string> names;
  for (const auto& [info, make] : tensors) {
    const std::string fault = info.name == "__metadata__" ? "is reserved" : fault_of_name(info.name);
    require(fault.empty(), ErrorKind::weights, where, ": tensor name \"", printable(info.name), "\" ", fault);
    require(names.insert(info.name).second, ErrorKind::weights, where, ": tensor name \"", printable(info.name),
            "\" occurs twice");
    require(!info.packed() && !safetensors_name(info.dtype).empty(), ErrorKind::weights, where, ": tensor \"",
            printable(info.name), "\": safetensors has no name for its type");
  }
}

std::string padded_header(const std::vector<TensorToWrite>& tensors, const std::vector<uint64_t>& begins,
                          const std::map<std::string, std::string>& metadata, const std::string& where) {
  std::string text = "{";
  const auto add = [&](const std::string& name, const nlohmann::ordered_json& value) {
    text += (text.size() > 1 ? "," : "") + nlohmann::json(name).dump() + ":" + value.dump();
  };
  try {
    if (!metadata.empty()) add("__metadata__", metadata);
  } catch (const nlohmann::json::type_error&) {
    fail(ErrorKind::weights, where, ": __metadata__ holds invalid UTF-8");
  }
  for (size_t i = 0; i < tensors.size(); ++i) {
    const TensorInfo& info = tensors[i].info;
    add(info.name, {{"dtype", safetensors_name(info.dtype)},
                    {"shape", info.shape},
                    {"data_offsets", {begins[i], begins[i] + info.bytes()}}});
  }
  text += "}";
  text.resize((text.size() + 7) / 8 * 8, ' ');
  return text;
}

}  // namespace

void write_safetensors(const std::filesystem::path& path, const std::vector<TensorToWrite>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  const std::string where = printable(path.string(), 400);
  require_names(tensors, where);
  std::vector<size_t> order(tensors.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return c10::elementSize(tensors[a].info.dtype) > c10::elementSize(tensors[b].info.dtype);
  });
  std::vector<uint64_t> begins(tensors.size());
  uint64_t end = 0;
  for (const size_t i : order) {
    begins[i] = end;
    end += tensors[i].info.bytes();
  }
  const std::string header = padded_header(tensors, begins, metadata, where);
  AtomicFile file(path);
  std::array<uint8_t, 8> length;
  for (size_t i = 0; i < 8; ++i) length[i] = static_cast<uint8_t>(uint64_t{header.size()} >> (8 * i));
  file.write(length.data(), length.size());
  file.write(header.data(), header.size());
  for (const size_t i : order) {
    const at::Tensor plain = tensors[i].make().detach().cpu().contiguous();
    require(plain.nbytes() == tensors[i].info.bytes(), ErrorKind::internal, where, ": tensor \"",
            printable(tensors[i].info.name), "\": announced ", tensors[i].info.bytes(), " bytes, made ",
            plain.nbytes());
    if (plain.nbytes() > 0) file.write(plain.const_data_ptr(), plain.nbytes());
  }
  file.commit();
}

void save_safetensors(const std::filesystem::path& path, const std::vector<std::pair<std::string, at::Tensor>>& tensors,
                      const std::map<std::string, std::string>& metadata) {
  std::vector<TensorToWrite> list;
  for (const auto& [name, tensor] : tensors) {
    require(tensor.defined(), ErrorKind::weights, printable(path.string(), 400), ": tensor \"", printable(name),
            "\": safetensors has no name for its type");
    list.push_back({{name, tensor.scalar_type(), tensor.sizes().vec()}, [&tensor] { return tensor; }});
  }
  write_safetensors(path, list, metadata);
}

}  // namespace keyflow::weights
