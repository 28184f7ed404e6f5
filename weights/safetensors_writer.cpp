#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "core/error.h"
#include "core/files.h"
#include "weights/dtype_names.h"
#include "weights/tensor_file.h"
#include "weights/tensor_limits.h"

namespace keyflow::weights {
namespace {

using Named = std::pair<std::string, at::Tensor>;

void require_names(const std::vector<Named>& tensors, const std::string& where) {
  std::set<std::string> names;
  for (const auto& [name, tensor] : tensors) {
    const std::string fault = name == "__metadata__" ? "is reserved" : fault_of_name(name);
    require(fault.empty(), ErrorKind::weights, where, ": tensor name \"", printable(name), "\" ", fault);
    require(names.insert(name).second, ErrorKind::weights, where, ": tensor name \"", printable(name),
            "\" occurs twice");
    require(tensor.defined() && !safetensors_name(tensor.scalar_type()).empty(), ErrorKind::weights, where,
            ": tensor \"", printable(name), "\": safetensors has no name for its type");
  }
}

std::string padded_header(const std::vector<Named>& tensors, const std::vector<uint64_t>& begins,
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
    const auto& [name, tensor] = tensors[i];
    add(name, {{"dtype", safetensors_name(tensor.scalar_type())},
               {"shape", tensor.sizes().vec()},
               {"data_offsets", {begins[i], begins[i] + tensor.nbytes()}}});
  }
  text += "}";
  text.resize((text.size() + 7) / 8 * 8, ' ');
  return text;
}

}  // namespace

void save_safetensors(const std::filesystem::path& path, const std::vector<Named>& tensors,
                      const std::map<std::string, std::string>& metadata) {
  const std::string where = printable(path.string(), 400);
  require_names(tensors, where);
  std::vector<size_t> order(tensors.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return tensors[a].second.element_size() > tensors[b].second.element_size();
  });
  std::vector<uint64_t> begins(tensors.size());
  uint64_t end = 0;
  for (const size_t i : order) {
    begins[i] = end;
    end += tensors[i].second.nbytes();
  }
  const std::string header = padded_header(tensors, begins, metadata, where);
  AtomicFile file(path);
  std::array<uint8_t, 8> length;
  for (size_t i = 0; i < 8; ++i) length[i] = static_cast<uint8_t>(uint64_t{header.size()} >> (8 * i));
  file.write(length.data(), length.size());
  file.write(header.data(), header.size());
  for (const size_t i : order) {
    const at::Tensor plain = tensors[i].second.detach().cpu().contiguous();
    if (plain.nbytes() > 0) file.write(plain.const_data_ptr(), plain.nbytes());
  }
  file.commit();
}

}  // namespace keyflow::weights
