// robustness.md §3: shard indexes and model folders.
#include <ATen/ops/ones.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/weights/hostile_files.h"
#include "weights/tensor_file.h"

namespace keyflow::weights {
namespace {

namespace fs = std::filesystem;
using namespace testing;

constexpr const char* kIndexName = "model.safetensors.index.json";

/// An index with these (tensor, file) pairs, as JSON text of both.
std::string index_json(const std::vector<std::pair<std::string, std::string>>& map) {
  std::string text = "{\"metadata\":{\"total_size\":9223372036854775807},\"weight_map\":{";
  for (size_t i = 0; i < map.size(); ++i) text += (i ? ",\"" : "\"") + map[i].first + "\":\"" + map[i].second + "\"";
  return text + "}}";
}

Hostile index_row(const std::string& id, std::string json, std::vector<std::string> names,
                  ErrorKind kind = ErrorKind::weights, std::function<void(const fs::path&)> more = {}) {
  return {id,
          [=](const fs::path& folder) {
            write_bytes(folder / kIndexName, json);
            if (more) more(folder);
            return folder / kIndexName;
          },
          kind, std::move(names)};
}

std::vector<Hostile> name_rows() {
  const auto row = [](const std::string& id, const std::string& shard) {
    return index_row(id, index_json({{"a", shard}}), {"weight_map", "\"a\"", "same folder"});
  };
  auto rows =
      std::vector<Hostile>{row("I01_up", "../../../../../etc/passwd"), row("I01_inside", "x/../../y.safetensors"),
                           row("I02", "/etc/passwd"), row("I02_nul", "x\\u0000y")};
  rows[0].names.push_back("../../../../../etc/passwd");
  rows[2].names.push_back("/etc/passwd");
  rows.push_back(index_row(
      "I03_outside", index_json({{"a", "s.safetensors"}}), {"s.safetensors", "inside", "link"}, ErrorKind::weights,
      [](const fs::path& folder) { fs::create_symlink("/etc/hostname", folder / "s.safetensors"); }));
  rows.push_back(index_row("I03_folder_link", index_json({{"a", "d/s.safetensors"}}), {"s.safetensors", "inside"},
                           ErrorKind::weights, [](const fs::path& folder) {
                             fs::create_directories(folder / "model");
                             fs::rename(folder / kIndexName, folder / "model" / kIndexName);
                             fs::create_directories(folder / "elsewhere");
                             write_bytes(folder / "elsewhere/s.safetensors", small_safetensors());
                             fs::create_directory_symlink(folder / "elsewhere", folder / "model/d");
                           }));
  rows.back().make = [make = rows.back().make](const fs::path& folder) {
    make(folder);
    return folder / "model" / kIndexName;
  };
  return rows;
}

std::vector<Hostile> shard_rows() {
  const std::string json = index_json({{"a", "s.safetensors"}});
  const auto row = [&](const std::string& id, std::vector<std::string> names, ErrorKind kind,
                       std::function<void(const fs::path& shard)> make) {
    names.push_back("s.safetensors");
    return index_row(id, json, std::move(names), kind, [make](const fs::path& folder) {
      if (make) make(folder / "s.safetensors");
    });
  };
  std::vector<Hostile> rows = {
      row("I04_missing", {"No such file"}, ErrorKind::io, {}),
      row("I04_folder", {"regular file", "a folder"}, ErrorKind::io,
          [](const fs::path& p) { fs::create_directory(p); }),
      row("I04_fifo", {"regular file", "a pipe"}, ErrorKind::io, [](const fs::path& p) { ::mkfifo(p.c_str(), 0600); }),
      row("I04_device", {"s.safetensors"}, ErrorKind::weights,
          [](const fs::path& p) { fs::create_symlink("/dev/zero", p); }),
      row("I04_loop", {"symbolic links"}, ErrorKind::io, [](const fs::path& p) { fs::create_symlink(p, p); }),
      row("I05_missing", {"missing", "a in"}, ErrorKind::weights,
          [](const fs::path& p) { write_bytes(p, small_safetensors("other")); }),
      index_row("I05_all", index_json({{"a", "s.safetensors"}, {"b", "s.safetensors"}, {"c", "t.safetensors"}}),
                {"missing     a in", "missing     b in", "unexpected  x in",
                 "twice       x in s.safetensors and t.safetensors", "missing     c in t.safetensors"},
                ErrorKind::weights,
                [](const fs::path& folder) {
                  write_bytes(folder / "s.safetensors", small_safetensors("x"));
                  write_bytes(folder / "t.safetensors", small_safetensors("x"));
                }),
      row("I05_broken_shard", {"found 0"}, ErrorKind::weights, [](const fs::path& p) { write_bytes(p, ""); }),
  };
  if (::geteuid() != 0) {
    rows.push_back(row("I04_unreadable", {"denied"}, ErrorKind::io, [](const fs::path& p) {
      write_bytes(p, small_safetensors());
      ::chmod(p.c_str(), 0);
    }));
  }
  return rows;
}

std::string million() {
  std::string text = "{\"weight_map\":{";
  for (int i = 0; i < 1'000'000; ++i) text += (i ? ",\"" : "\"") + std::to_string(i) + "\":\"s\"";
  return text + "}}";
}

std::vector<Hostile> json_rows() {
  return {
      index_row("I06_no_map", "{}", {"weight_map", "missing"}),
      index_row("I06_array", R"({"weight_map":[]})", {"weight_map", "array"}),
      index_row("I06_number", R"({"weight_map":{"a":5}})", {"weight_map", "\"a\"", "number"}),
      index_row("I06_no_object", "[]", {"weight_map", "array"}),
      index_row("I06_empty", "", {"weight_map", "0 bytes"}),
      index_row("I06_empty_map", R"({"weight_map":{}})", {"weight_map", "found 0"}),
      index_row("I06_text", "not JSON", {"offset", "JSON"}),
      index_row("I06_cut", R"({"weight_map":{"a":)", {"offset", "JSON"}),
      index_row("I06_twice", R"({"weight_map":{"a":"s","a":"t"}})", {"duplicate", "\"a\""}),
      index_row("I06_deep", std::string(200'000, '['), {"depth"}),
      index_row("I06_deep_object",
                [] {
                  std::string text;
                  for (int i = 0; i < 200'000; ++i) text += "{\"weight_map\":";
                  return text;
                }(),
                {"depth"}),
      index_row("I07", million(), {"limit"}),
  };
}

std::vector<Hostile> folder_rows() {
  const auto in_folder = [](const std::string& id, std::vector<std::string> names,
                            std::vector<std::pair<std::string, std::string>> files,
                            ErrorKind kind = ErrorKind::weights) {
    return Hostile{id,
                   [=](const fs::path& folder) {
                     for (const auto& [name, bytes] : files) write_bytes(folder / name, bytes);
                     return folder;
                   },
                   kind, names};
  };
  return {
      in_folder("I10_empty", {"found none", ".safetensors"}, {}),
      in_folder("I10_no_weights", {"found none"}, {{"config.json", "{}"}, {".hidden.safetensors", "x"}}),
      in_folder("I10_two", {"found 2", "\n  a.safetensors", "\n  b.safetensors"},
                {{"a.safetensors", small_safetensors()}, {"b.safetensors", small_safetensors()}}),
      in_folder("I10_two_pickles", {"found 2", "\n  a.pth", "\n  b.bin"}, {{"a.pth", "x"}, {"b.bin", "x"}}),
      in_folder("I10_gguf", {"GGUF", "version 0"}, {{"a.gguf", "GGUF" + std::string(20, '\0')}}),
      {"I10_link",
       [](const fs::path& folder) {
         fs::create_symlink("/etc/hostname", folder / "model.safetensors");
         return folder;
       },
       ErrorKind::weights,
       {"model.safetensors", "inside"}},
      {"I10_missing",
       [](const fs::path& folder) { return folder / "nothing"; },
       ErrorKind::io,
       {"nothing", "No such file"}},
  };
}

class ShardsHostile : public ::testing::TestWithParam<Hostile> {};
TEST_P(ShardsHostile, AreRefused) { expect_refused(GetParam()); }

INSTANTIATE_TEST_SUITE_P(Names, ShardsHostile, ::testing::ValuesIn(name_rows()), row_name);
INSTANTIATE_TEST_SUITE_P(Shards, ShardsHostile, ::testing::ValuesIn(shard_rows()), row_name);
INSTANTIATE_TEST_SUITE_P(Json, ShardsHostile, ::testing::ValuesIn(json_rows()), row_name);
INSTANTIATE_TEST_SUITE_P(Folders, ShardsHostile, ::testing::ValuesIn(folder_rows()), row_name);

/// Two shards with one tensor each, and their index.
void write_model(const fs::path& folder) {
  fs::create_directories(folder);
  save_safetensors(folder / "s1.safetensors", {{"b", at::ones({2, 3}) * 2}});
  save_safetensors(folder / "s2.safetensors", {{"a", at::ones({4})}});
  write_bytes(folder / kIndexName, index_json({{"b", "s1.safetensors"}, {"a", "s2.safetensors"}}));
}

void expect_model(const fs::path& path) {
  const auto file = open_tensors(path);
  EXPECT_EQ(file->format(), "sharded safetensors");
  ASSERT_EQ(file->tensors().size(), 2u);
  EXPECT_EQ(file->tensors()[0].name, "a");
  EXPECT_EQ(file->parts().size(), 2u);
  EXPECT_EQ(file->read("a").sum().item<float>(), 4);
  EXPECT_EQ(file->read("b").sum().item<float>(), 12);
}

TEST(Shards, OpenByIndexAndByFolder) {
  ScratchFolder scratch;
  write_model(scratch.path());
  expect_model(scratch.path() / kIndexName);
  expect_model(scratch.path());
}

TEST(Shards, I08_TotalSizeThatLiesChangesNothing) {
  ScratchFolder scratch;
  write_model(scratch.path());
  reset_peak_allocation();
  expect_model(scratch.path());
  EXPECT_LT(peak_allocation(), uint64_t{1} << 20);
}

TEST(Shards, I10_SlashSpacesAndUtf8InTheFolderName) {
  ScratchFolder scratch;
  const fs::path folder = scratch.path() / "with space \xE6\xA8\xA1\xE5\x9E\x8B";
  write_model(folder);
  expect_model(folder.string() + "/");
  expect_model(folder);
}

TEST(Shards, I10_IndexGoesBeforeFilesAndSafetensorsBeforePickles) {
  ScratchFolder scratch;
  write_model(scratch.path());
  write_bytes(scratch.path() / "old.bin", "not read");
  expect_model(scratch.path());
  fs::remove(scratch.path() / kIndexName);
  fs::remove(scratch.path() / "s1.safetensors");
  EXPECT_EQ(open_tensors(scratch.path())->format(), "safetensors");
}

TEST(Shards, I03_HubCacheLayoutIsAccepted) {
  ScratchFolder scratch;
  const fs::path entry = scratch.path() / "models--a--b", snapshot = entry / "snapshots/0123abc/transformer";
  write_model(scratch.path() / "plain");
  fs::create_directories(entry / "blobs");
  fs::create_directories(snapshot);
  int number = 0;
  for (const auto& file : fs::directory_iterator(scratch.path() / "plain")) {
    const std::string hash = "hash" + std::to_string(number++);
    fs::rename(file.path(), entry / "blobs" / hash);
    fs::create_symlink("../../../blobs/" + hash, snapshot / file.path().filename());
  }
  expect_model(snapshot);
  expect_model(snapshot / kIndexName);
}

TEST(Shards, I03_HubCacheLinkIntoAnotherEntryIsRefused) {
  ScratchFolder scratch;
  const fs::path snapshot = scratch.path() / "models--a--b/snapshots/0123abc";
  fs::create_directories(snapshot);
  fs::create_directories(scratch.path() / "models--evil/blobs");
  write_bytes(scratch.path() / "models--evil/blobs/hash", small_safetensors());
  fs::create_symlink("../../../models--evil/blobs/hash", snapshot / "model.safetensors");
  EXPECT_THROW(open_tensors(snapshot), Error);
}

TEST(Shards, LinkInsideTheFolderIsAccepted) {
  ScratchFolder scratch;
  write_bytes(scratch.path() / "file.data", small_safetensors());
  fs::create_symlink("file.data", scratch.path() / "model.safetensors");
  EXPECT_EQ(open_tensors(scratch.path())->tensors().size(), 1u);
}

}  // namespace
}  // namespace keyflow::weights
