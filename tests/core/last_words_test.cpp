#include "core/last_words.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <functional>

#include "core/error.h"
#include "core/files.h"
#include "core/interrupt.h"

namespace keyflow {
namespace {

namespace fs = std::filesystem;

struct Ending {
  int status;
  std::string standard_error;
};

/// Runs `body` in a child process; if it comes back, the child exits 99.
Ending run_child(const std::function<void()>& body) {
  int ends[2];
  EXPECT_EQ(::pipe(ends), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(ends[1], STDERR_FILENO);
    ::close(ends[0]);
    ::close(ends[1]);
    body();
    ::_exit(99);
  }
  ::close(ends[1]);
  Ending ending{0, ""};
  char buffer[512];
  for (ssize_t count; (count = ::read(ends[0], buffer, sizeof buffer)) > 0;) {
    ending.standard_error.append(buffer, static_cast<size_t>(count));
  }
  ::close(ends[0]);
  EXPECT_EQ(::waitpid(child, &ending.status, 0), child);
  return ending;
}

class LastWords : public ::testing::Test {
 protected:
  LastWords() {
    folder_ = fs::temp_directory_path() / ("keyflow_last_words_" + std::to_string(::getpid()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~LastWords() override { fs::remove_all(folder_); }
  fs::path folder_;
};

TEST_F(LastWords, E05_AFileCutShortWhileMappedEndsWithOneLineAndExit1) {
  const fs::path path = folder_ / "model.safetensors";
  write_file(path, std::string(100'000, 'x'));
  const Ending ending = run_child([&] {
    install_signal_handlers();
    const auto mapped = MappedFile::open(path);
    AtomicFile unfinished(folder_ / "out.mp4");
    fs::resize_file(path, 10);
    volatile uint8_t byte = mapped->data()[50'000];
    (void)byte;
  });
  ASSERT_TRUE(WIFEXITED(ending.status)) << "ended by signal " << WTERMSIG(ending.status);
  EXPECT_EQ(WEXITSTATUS(ending.status), 1);
  EXPECT_EQ(ending.standard_error.rfind("error: io: " + path.string() + ": ", 0), 0u) << ending.standard_error;
  EXPECT_NE(ending.standard_error.find("expected 100000 bytes"), std::string::npos) << ending.standard_error;
  EXPECT_EQ(ending.standard_error.find('\n'), ending.standard_error.size() - 1);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()), 1) << "unfinished output left";
}

TEST_F(LastWords, ABusErrorElsewhereStaysOne) {
  const fs::path path = folder_ / "model.safetensors";
  write_file(path, std::string(100'000, 'x'));
  const Ending ending = run_child([&] {
    install_bus_guard();
    const auto mapped = MappedFile::open(path);
    unguard_mapping(mapped->data());
    fs::resize_file(path, 10);
    volatile uint8_t byte = mapped->data()[50'000];
    (void)byte;
  });
  EXPECT_FALSE(WIFEXITED(ending.status) && WEXITSTATUS(ending.status) <= 1);
  EXPECT_EQ(ending.standard_error.find("error: io"), std::string::npos);
}

TEST_F(LastWords, ASecondInterruptLeavesNoUnfinishedFile) {
  const Ending ending = run_child([&] {
    install_signal_handlers();
    AtomicFile unfinished(folder_ / "out.mp4");
    ::raise(SIGINT);
    ::raise(SIGINT);
  });
  ASSERT_TRUE(WIFEXITED(ending.status));
  EXPECT_EQ(WEXITSTATUS(ending.status), 130);
  EXPECT_TRUE(fs::is_empty(folder_));
}

TEST_F(LastWords, OneInterruptIsAFlagThatBecomesAnError) {
  const Ending ending = run_child([&] {
    install_signal_handlers();
    throw_if_interrupted();
    ::raise(SIGTERM);
    if (pending_signal() != SIGTERM) ::_exit(1);
    try {
      throw_if_interrupted();
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::interrupted) ::_exit(42);
    }
  });
  ASSERT_TRUE(WIFEXITED(ending.status));
  EXPECT_EQ(WEXITSTATUS(ending.status), 42);
}

}  // namespace
}  // namespace keyflow
