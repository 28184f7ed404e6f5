#pragma once
#include <filesystem>
#include <memory>

#include "core/files.h"
#include "weights/tensor_file.h"

// The readers behind open_tensors, one per format. Each takes a file whose first bytes named the format.
namespace keyflow::weights {

std::shared_ptr<TensorFile> open_safetensors(std::shared_ptr<MappedFile> file);

std::shared_ptr<TensorFile> open_gguf(std::shared_ptr<MappedFile> file);

/// A zip archive as torch.save writes it: data.pkl and one stored entry per storage.
std::shared_ptr<TensorFile> open_zip_checkpoint(std::shared_ptr<MappedFile> file);

/// The stream of pickles followed by raw storages that torch.save wrote before version 1.6.
std::shared_ptr<TensorFile> open_stream_checkpoint(std::shared_ptr<MappedFile> file);

/// An ncnn network: `.param`, the layers as text, and `.bin`, their weights, of the same name; given by either half.
/// Tensors are called by the kind and the order of their layers: "Convolution.0007.weight" [out, in, kh, kw],
/// "Convolution.0007.bias", "PReLU.0007.weight". The text is in metadata() under "ncnn".
/// source ncnn docs/developer-guide/param-and-model-file-structure.md, src/modelbin.cpp@master
std::shared_ptr<TensorFile> open_ncnn(std::shared_ptr<MappedFile> file);
/// True where a network description in ncnn's text form lies beside `data`: weights in fp32 begin like no format.
bool is_ncnn_pair(const std::filesystem::path& data);

/// A shard index; the shards lie in its folder (or where the hub cache links them).
std::shared_ptr<TensorFile> open_shards(const std::filesystem::path& index);

/// One file of any of the formats above but an index.
std::shared_ptr<TensorFile> open_single(const std::filesystem::path& path);

/// The one checkpoint of a folder: a shard index, else a safetensors file, else a torch checkpoint, else a
/// GGUF file.
std::filesystem::path find_in_folder(const std::filesystem::path& folder);

/// Throws Error::weights if `file`, all links followed, lies outside `folder`. One exception: the hub cache, whose
/// snapshots/REVISION/name links to blobs/HASH of the same entry.
void require_inside(const std::filesystem::path& folder, const std::filesystem::path& file);

}  // namespace keyflow::weights
