#include <algorithm>
#include <array>

#include "core/error.h"
#include "weights/pickle.h"

namespace keyflow::weights {
namespace {

using namespace std::string_view_literals;

// Modules whose functions start programs, load code, open files or sockets. None is ever called here, but a file that
// names one is no checkpoint.
constexpr std::array kRunning = {
    "os"sv,        "posix"sv,      "nt"sv,          "posixpath"sv, "ntpath"sv,    "subprocess"sv, "_posixsubprocess"sv,
    "sys"sv,       "importlib"sv,  "runpy"sv,       "socket"sv,    "shutil"sv,    "pty"sv,        "ctypes"sv,
    "_ctypes"sv,   "cffi"sv,       "code"sv,        "codeop"sv,    "pdb"sv,       "bdb"sv,        "pickle"sv,
    "_pickle"sv,   "cPickle"sv,    "pickletools"sv, "marshal"sv,   "shelve"sv,    "dill"sv,       "cloudpickle"sv,
    "joblib"sv,    "webbrowser"sv, "commands"sv,    "popen2"sv,    "platform"sv,  "asyncio"sv,    "multiprocessing"sv,
    "threading"sv, "_thread"sv,    "concurrent"sv,  "signal"sv,    "tempfile"sv,  "http"sv,       "urllib"sv,
    "urllib2"sv,   "requests"sv,   "aiohttp"sv,     "ftplib"sv,    "smtplib"sv,   "ssl"sv,        "zipimport"sv,
    "pkgutil"sv,   "pip"sv,        "setuptools"sv,  "distutils"sv, "timeit"sv,    "profile"sv,    "cProfile"sv,
    "trace"sv,     "doctest"sv,    "pydoc"sv,       "operator"sv,  "_operator"sv, "io"sv,         "_io"sv,
    "inspect"sv,   "gc"sv,         "linecache"sv,   "fileinput"sv, "numexpr"sv};
constexpr std::array kRunningBelow = {"torch.hub"sv,      "torch.utils.cpp_extension"sv,
                                      "torch.package"sv,  "torch.jit"sv,
                                      "numpy.f2py"sv,     "numpy.testing"sv,
                                      "numpy.distutils"sv};
constexpr std::array kRunningNames = {"torch.load"sv,        "torch.serialization.load"sv, "numpy.load"sv,
                                      "numpy.fromfile"sv,    "torch.from_file"sv,          "types.CodeType"sv,
                                      "types.FunctionType"sv};
constexpr std::array kHarmlessBuiltins = {"int"sv,     "float"sv,  "str"sv,   "bool"sv,    "bytes"sv,  "bytearray"sv,
                                          "complex"sv, "object"sv, "slice"sv, "range"sv,   "xrange"sv, "unicode"sv,
                                          "long"sv,    "type"sv,   "print"sv, "NoneType"sv};

constexpr std::array<std::pair<std::string_view, at::ScalarType>, 11> kStorageTypes = {{
    {"DoubleStorage", at::kDouble},
    {"FloatStorage", at::kFloat},
    {"HalfStorage", at::kHalf},
    {"BFloat16Storage", at::kBFloat16},
    {"LongStorage", at::kLong},
    {"IntStorage", at::kInt},
    {"ShortStorage", at::kShort},
    {"CharStorage", at::kChar},
    {"ByteStorage", at::kByte},
    {"BoolStorage", at::kBool},
    {"UntypedStorage", at::kByte},
}};

// Types without a storage class of their own, which torch keeps in untyped storages.
constexpr std::array<std::pair<std::string_view, at::ScalarType>, 15> kDtypes = {{
    {"float8_e4m3fn", at::kFloat8_e4m3fn},
    {"float8_e5m2", at::kFloat8_e5m2},
    {"uint16", at::kUInt16},
    {"uint32", at::kUInt32},
    {"uint64", at::kUInt64},
    {"float64", at::kDouble},
    {"float32", at::kFloat},
    {"float16", at::kHalf},
    {"bfloat16", at::kBFloat16},
    {"int64", at::kLong},
    {"int32", at::kInt},
    {"int16", at::kShort},
    {"int8", at::kChar},
    {"uint8", at::kByte},
    {"bool", at::kBool},
}};

bool below(std::string_view name, std::string_view module) {
  return name == module || (name.starts_with(module) && name[module.size()] == '.');
}

template <class Names>
bool contains(const Names& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool runs_things(std::string_view module, std::string_view name, std::string_view full) {
  if (std::any_of(kRunning.begin(), kRunning.end(), [&](auto m) { return below(module, m); })) return true;
  if (std::any_of(kRunningBelow.begin(), kRunningBelow.end(), [&](auto m) { return below(full, m); })) return true;
  if (contains(kRunningNames, full) || name.find("__") != name.npos) return true;
  // A dotted name walks through attributes: "torch", "os.system" is os.system.
  for (auto dot = name.find('.'); dot != name.npos; dot = name.find('.')) {
    if (contains(kRunning, name.substr(0, dot))) return true;
    name.remove_prefix(dot + 1);
  }
  return false;
}

PickleKind builtin_container(std::string_view name) {
  if (name == "list") return PickleKind::list;
  if (name == "tuple") return PickleKind::tuple;
  if (name == "dict") return PickleKind::dict;
  if (name == "set" || name == "frozenset") return PickleKind::set;
  return PickleKind::none;
}

void resolve_torch(PickleGlobal& global, std::string_view module, std::string_view name) {
  const std::string_view full = global.name;
  if (full == "torch._utils._rebuild_tensor" || full == "torch._utils._rebuild_tensor_v2") {
    global.callable = Callable::rebuild_tensor;
  } else if (full == "torch._utils._rebuild_tensor_v3") {
    global.callable = Callable::rebuild_tensor_v3;
  } else if (full == "torch._utils._rebuild_parameter" || full == "torch._utils._rebuild_parameter_with_state" ||
             full == "torch.nn.parameter.Parameter") {
    global.callable = Callable::rebuild_parameter;
  } else if (full == "torch._tensor._rebuild_from_type_v2") {
    global.callable = Callable::rebuild_from_type;
  } else if (full == "torch.Size") {
    global.callable = Callable::size;
  } else if (full == "torch.nn.modules.container.ParameterDict") {
    global.callable = Callable::plain_container;
    global.container = PickleKind::dict;
  }
  if (module == "torch" || module == "torch.storage" || module == "torch.cuda") {
    for (const auto& [text, type] : kStorageTypes) {
      if (text == name) global.callable = Callable::storage_type, global.dtype = type;
    }
  }
  if (module == "torch") {
    for (const auto& [text, type] : kDtypes) {
      if (text == name) global.callable = Callable::dtype, global.dtype = type;
    }
  }
}

}  // namespace

PickleGlobal resolve_global(std::string_view module, std::string_view name, const std::string& where) {
  PickleGlobal global;
  global.name = c10::str(module, ".", name);
  const bool builtin = module == "builtins" || module == "__builtin__";
  const PickleKind container = builtin ? builtin_container(name) : PickleKind::none;
  const bool harmless_builtin = container != PickleKind::none || contains(kHarmlessBuiltins, name);
  if (builtin ? !harmless_builtin : runs_things(module, name, global.name)) {
    fail(ErrorKind::weights, where, "this file tries to run code: ", printable(global.name),
         "; expected a checkpoint of tensors; it was not run");
  }
  if (container != PickleKind::none) {
    global.callable = Callable::plain_container;
    global.container = container;
  } else if (global.name == "collections.OrderedDict") {
    global.callable = Callable::ordered_dict;
  } else if (global.name == "_codecs.encode") {
    global.callable = Callable::encode;
  } else if (module.starts_with("torch")) {
    resolve_torch(global, module, name);
  }
  return global;
}

}  // namespace keyflow::weights
