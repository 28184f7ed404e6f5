#include "core/files.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>

#include "core/error.h"

namespace keyflow {
namespace {

namespace fs = std::filesystem;

class Files : public ::testing::Test {
 protected:
  Files() {
    folder_ = fs::temp_directory_path() / c10::str("keyflow_files_test_", ::getpid());
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~Files() override { fs::remove_all(folder_); }

  fs::path file(const std::string& name) const { return folder_ / name; }
  size_t count() const {
    return static_cast<size_t>(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()));
  }
  void expect_io(const std::function<void()>& run, const std::string& words) {
    try {
      run();
      ADD_FAILURE() << "accepted; expected " << words;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::io) << error.what();
      EXPECT_NE(std::string(error.what()).find(words), std::string::npos) << error.what();
    }
  }
  fs::path folder_;
};

TEST_F(Files, WriteThenReadAndMap) {
  write_file(file("a"), "hello");
  EXPECT_EQ(read_file(file("a"), 5), "hello");
  const auto mapped = MappedFile::open(file("a"));
  EXPECT_EQ(mapped->size(), 5u);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(mapped->data()), 5), "hello");
}

TEST_F(Files, AMappingMayBeWrittenToWithoutChangingTheFile) {
  write_file(file("a"), "hello");
  MappedFile::open(file("a"))->data()[0] = 'J';
  EXPECT_EQ(read_file(file("a"), 5), "hello");
}

TEST_F(Files, AnEmptyFileIsMappedAsNothing) {
  write_file(file("a"), "");
  EXPECT_EQ(MappedFile::open(file("a"))->size(), 0u);
}

TEST_F(Files, OnlyRegularFilesAreRead) {
  ASSERT_EQ(::mkfifo(file("pipe").c_str(), 0600), 0);
  for (const auto& open : {std::function<void(const fs::path&)>([](const fs::path& p) { read_file(p, 10); }),
                           std::function<void(const fs::path&)>([](const fs::path& p) { MappedFile::open(p); })}) {
    expect_io([&] { open(file("missing")); }, "No such file");
    expect_io([&] { open(folder_); }, "a folder");
    expect_io([&] { open(file("pipe")); }, "a pipe");
    expect_io([&] { open("/dev/zero"); }, "a device");
  }
}

TEST_F(Files, ReadFileKeepsItsLimit) {
  write_file(file("a"), "hello");
  expect_io([&] { read_file(file("a"), 4); }, "expected at most 4 bytes, found 5");
}

TEST_F(Files, AnAbandonedWriteLeavesTheOldContentAndNothingElse) {
  write_file(file("a"), "old");
  {
    AtomicFile atomic(file("a"));
    atomic.write("new", 3);
    EXPECT_EQ(count(), 2u);
    EXPECT_EQ(read_file(file("a"), 10), "old");
  }
  EXPECT_EQ(read_file(file("a"), 10), "old");
  EXPECT_EQ(count(), 1u);
}

TEST_F(Files, CommitReplacesTheContent) {
  write_file(file("a.mp4"), "old");
  AtomicFile atomic(file("a.mp4"));
  EXPECT_EQ(atomic.temporary().extension(), ".mp4");
  EXPECT_EQ(atomic.temporary().parent_path(), folder_);
  atomic.write("new", 3);
  atomic.commit();
  EXPECT_EQ(read_file(file("a.mp4"), 10), "new");
  EXPECT_EQ(count(), 1u);
}

TEST_F(Files, RequireWritableSaysWhyNot) {
  require_writable(file("a"));
  EXPECT_EQ(count(), 0u);
  expect_io([&] { require_writable(folder_); }, "found a folder");
  expect_io([&] { require_writable(folder_ / "none" / "a"); }, "does not exist");
  expect_io([&] { require_writable(file(std::string(300, 'n'))); }, "cannot write");
}

TEST_F(Files, E01_AFileSizeLimitIsAnErrorThatLeavesNothing) {
  struct rlimit before {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = ::signal(SIGXFSZ, SIG_IGN);
  struct rlimit small {
    1000, before.rlim_max
  };
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  expect_io([&] { write_file(file("big"), std::string(100'000, 'x')); }, "big: cannot write");
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  ::signal(SIGXFSZ, handler);
  EXPECT_EQ(count(), 0u);
}

TEST_F(Files, A11_OddNames) {
  for (const std::string name : {"with space", "-dash", "new\nline", "\xFF\xFE", "\xE6\xA8\xA1"}) {
    write_file(file(name), "x");
    EXPECT_EQ(read_file(file(name), 1), "x");
  }
  expect_io([&] { read_file(file("no\nfile"), 1); }, "no\\x0afile");
}

}  // namespace
}  // namespace keyflow
