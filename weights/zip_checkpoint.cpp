#include "core/error.h"
#include "weights/checkpoint.h"
#include "weights/zip_archive.h"

namespace keyflow::weights {
namespace {

/// The folder that holds data.pkl, with its slash; torch names it after the file or "archive".
std::string find_prefix(const ZipArchive& archive, const std::string& where) {
  const ZipEntry* found = nullptr;
  for (const auto& entry : archive.entries()) {
    const auto slash = entry.name.find('/');
    const std::string_view rest =
        slash == entry.name.npos ? entry.name : std::string_view(entry.name).substr(slash + 1);
    if (rest == "constants.pkl" || rest.starts_with("code/")) {
      fail(ErrorKind::unsupported, where, "a TorchScript archive (entry \"", printable(entry.name),
           "\") holds a program and cannot be read; expected a state dict");
    }
    if (rest != "data.pkl") continue;
    require(!found, ErrorKind::weights, where, "zip: two entries data.pkl");
    found = &entry;
  }
  if (!found) {
    const std::string first =
        archive.entries().empty() ? "" : ", the first is \"" + printable(archive.entries()[0].name) + "\"";
    fail(ErrorKind::weights, where, "zip: expected an entry data.pkl, found ", archive.entries().size(), " entries",
         first);
  }
  return found->name.substr(0, found->name.size() - std::string_view("data.pkl").size());
}

}  // namespace

std::shared_ptr<TensorFile> open_zip_checkpoint(std::shared_ptr<MappedFile> file) {
  const std::string where = printable(file->path().string(), 400) + ": ";
  const ZipArchive archive(file);
  const std::string prefix = find_prefix(archive, where);
  if (const ZipEntry* order = archive.find(prefix + "byteorder")) {
    const std::string_view text(reinterpret_cast<const char*>(file->data()) + order->begin, order->bytes);
    require(text == "little", ErrorKind::unsupported, where, "byteorder: expected little, found ", printable(text));
  }
  const ZipEntry& entry = *archive.find(prefix + "data.pkl");
  const std::string inside = where + "entry \"" + printable(entry.name) + "\", ";
  const Pickle pickle = read_pickle({file->data() + entry.begin, entry.bytes}, 0, inside);
  require(pickle.end == entry.bytes, ErrorKind::weights, inside, "offset ", pickle.end, ": ", entry.bytes - pickle.end,
          " bytes after STOP; expected 0");
  return make_checkpoint(file, pickle, {entry.begin, entry.bytes}, [&](const PickleStorage& storage) -> Extent {
    const std::string name = prefix + "data/" + storage.key;
    const ZipEntry* data = archive.find(name);
    if (!data) {
      fail(ErrorKind::weights, where, "expected entry \"", printable(name), "\" of ", storage.bytes,
           " bytes, which is missing");
    }
    if (data->bytes < storage.bytes) {
      fail(ErrorKind::weights, where, "entry \"", printable(name), "\": expected ", storage.bytes, " bytes, found ",
           data->bytes);
    }
    return {data->begin, data->bytes};
  });
}

}  // namespace keyflow::weights
