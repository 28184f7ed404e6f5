#include "weights/textual_inversion.h"

#include <algorithm>

#include "core/compute.h"
#include "core/error.h"
#include "core/shape.h"
#include "weights/tensor_file.h"

namespace keyflow::weights {
namespace {

constexpr size_t kShown = 8;

/// Which encoder a name means: {"clip_l", true}; false for no such name.
std::pair<std::string, bool> encoder_of(const std::string& name) {
  if (name == "clip_l" || name == "text_encoders_0") return {"clip_l", true};
  if (name == "clip_g" || name == "text_encoders_1") return {"clip_g", true};
  return {"", name == "emb_params" || name.starts_with("string_to_param.")};
}

std::string model_of(int64_t width) {
  if (width == 768) return "; hint: it was made for Stable Diffusion 1";
  if (width == 1024) return "; hint: it was made for Stable Diffusion 2";
  if (width == 1280) return "; hint: it was made for the second encoder of SDXL";
  return "";
}

at::Tensor read_vectors(const TensorFile& file, const std::string& name, const std::string& where) {
  const at::Tensor vectors = file.read(name);
  require(vectors.is_floating_point() && (vectors.dim() == 1 || vectors.dim() == 2) && vectors.numel() > 0,
          ErrorKind::weights, where, ": \"", printable(name), "\": expected vectors [K, width] of a float type, found ",
          dtype_name(vectors.scalar_type()), " ", shape_text(vectors.sizes()));
  return vectors.dim() == 1 ? vectors.unsqueeze(0) : vectors;
}

}  // namespace

std::vector<std::string> TextualInversion::words() const {
  const std::string stem = path.stem().string(), name = path.filename().string();
  std::vector<std::string> words{stem, "embedding:" + stem};
  if (name != stem) words.push_back("embedding:" + name);
  if (!token.empty() && token != stem) words.push_back(token);
  return words;
}

at::Tensor TextualInversion::vectors_for(const std::string& encoder, int64_t width) const {
  const auto part = std::find_if(parts.begin(), parts.end(),
                                 [&](const Part& p) { return p.encoder.empty() || p.encoder == encoder; });
  const std::string where = printable(path.string(), 400);
  require(part != parts.end(), ErrorKind::weights, where, ": expected vectors for the text encoder ", encoder,
          ", found only ", parts.front().encoder);
  const int64_t found = part->vectors.size(1);
  require(found == width, ErrorKind::weights, where, ": expected vectors of width ", width,
          ", as the text encoder has ", encoder.empty() ? "" : "(" + encoder + ")", ", found ", found, model_of(found));
  return part->vectors.to(at::kFloat);
}

TextualInversion read_textual_inversion(const std::filesystem::path& path) {
  const auto file = open_tensors(path);
  const std::string where = printable(path.string(), 400);
  TextualInversion read{path, "", {}};
  std::vector<std::string> others;
  for (const auto& info : file->tensors()) {
    // The id of a token in the vocabulary that the program which wrote the file had.
    if (info.name.starts_with("string_to_token.")) continue;
    const auto [encoder, known] = encoder_of(info.name);
    if (known) {
      read.parts.push_back({encoder, read_vectors(*file, info.name, where)});
    } else {
      others.push_back(info.name);
    }
  }
  if (read.parts.empty() && others.size() == 1) {
    if (others[0] != "tensor") read.token = others[0];
    read.parts.push_back({"", read_vectors(*file, others[0], where)});
    others.clear();
  }
  std::vector<std::string> items;
  for (const auto& name : others) {
    if (items.size() < kShown) items.push_back(printable(name));
  }
  if (!others.empty()) {
    throw Error(
        ErrorKind::weights,
        c10::str(where, ": is no textual inversion; expected string_to_param, emb_params, clip_l and clip_g, or",
                 " one tensor under its word, found ", others.size(), " other tensors"),
        items);
  }
  require(!read.parts.empty(), ErrorKind::weights, where, ": expected learned embeddings, found none");
  for (size_t i = 0; i < read.parts.size(); ++i) {
    for (size_t k = 0; k < i; ++k) {
      require(read.parts[i].encoder != read.parts[k].encoder, ErrorKind::weights, where,
              ": expected one word in a file, found ", read.parts.size());
      require(read.parts[i].vectors.size(0) == read.parts[k].vectors.size(0), ErrorKind::weights, where,
              ": expected as many vectors for one encoder as for the other, found ", read.parts[k].vectors.size(0),
              " and ", read.parts[i].vectors.size(0));
    }
  }
  return read;
}

}  // namespace keyflow::weights
