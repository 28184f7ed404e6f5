#include "apps/program.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <fstream>
#include <sstream>

extern char** environ;

namespace keyflow::tests {
namespace {

struct Pipe {
  std::array<int, 2> ends{-1, -1};
  Pipe() {
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) std::abort();
  }
  ~Pipe() {
    close_end(0);
    close_end(1);
  }
  void close_end(size_t i) {
    if (ends[i] >= 0) ::close(ends[i]);
    ends[i] = -1;
  }
};

std::string shell_quoted(const std::string& word) {
  std::string out = "'";
  for (const char c : word) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::vector<std::string> command_words(const std::vector<std::string>& arguments, const Launch& launch) {
  if (launch.shell.empty()) {
    std::vector<std::string> words{KEYFLOW_PROGRAM};
    words.insert(words.end(), arguments.begin(), arguments.end());
    return words;
  }
  std::string line = launch.shell + " exec " + shell_quoted(KEYFLOW_PROGRAM);
  for (const auto& word : arguments) line += " " + shell_quoted(word);
  return {"/bin/sh", "-c", line + " " + launch.redirect};
}

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> list;
  for (auto& word : words) list.push_back(word.data());
  list.push_back(nullptr);
  return list;
}

/// Feeds the input and gathers both streams until the program has closed them.
void converse(pid_t child, Pipe& in, Pipe& out, Pipe& err, const Launch& launch, Outcome& outcome) {
  size_t fed = 0;
  bool killed = false;
  ::signal(SIGPIPE, SIG_IGN);
  if (launch.input.empty()) in.close_end(1);
  while (out.ends[0] >= 0 || err.ends[0] >= 0) {
    std::array<pollfd, 3> watched{{{out.ends[0], POLLIN, 0}, {err.ends[0], POLLIN, 0}, {in.ends[1], POLLOUT, 0}}};
    ::poll(watched.data(), watched.size(), 1000);
    const std::array<Pipe*, 2> pipes{&out, &err};
    for (size_t i = 0; i < 2; ++i) {
      if (watched[i].revents == 0) continue;
      std::array<char, 65536> buffer;
      const ssize_t count = ::read(pipes[i]->ends[0], buffer.data(), buffer.size());
      if (count > 0)
        (i == 0 ? outcome.out : outcome.err).append(buffer.data(), static_cast<size_t>(count));
      else
        pipes[i]->close_end(0);
    }
    if (watched[2].revents != 0) {
      const ssize_t count = ::write(in.ends[1], launch.input.data() + fed, launch.input.size() - fed);
      if (count > 0) fed += static_cast<size_t>(count);
      if (count <= 0 || fed == launch.input.size()) in.close_end(1);
    }
    if (launch.kill_with && !killed && outcome.err.find(launch.kill_when) != std::string::npos) {
      ::kill(child, launch.kill_with);
      killed = true;
    }
  }
}

}  // namespace

Outcome keyflow(const std::vector<std::string>& arguments, const Launch& launch) {
  Pipe in, out, err;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in.ends[0], 0);
  posix_spawn_file_actions_adddup2(&actions, out.ends[1], 1);
  posix_spawn_file_actions_adddup2(&actions, err.ends[1], 2);
  // The program must fend for itself: a child inherits what we ignore.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t defaults;
  sigemptyset(&defaults);
  sigaddset(&defaults, SIGPIPE);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
  std::vector<std::string> words = command_words(arguments, launch), variables;
  for (char** variable = environ; *variable; ++variable) variables.emplace_back(*variable);
  variables.insert(variables.begin(), launch.environment.begin(), launch.environment.end());
  pid_t child = 0;
  Outcome outcome;
  const int problem = ::posix_spawn(&child, words[0].c_str(), &actions, &attributes, pointers(words).data(),
                                    pointers(variables).data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (problem != 0) {
    ADD_FAILURE() << words[0] << ": cannot start: " << std::strerror(problem);
    return outcome;
  }
  in.close_end(0);
  out.close_end(1);
  err.close_end(1);
  if (launch.reader_leaves) out.close_end(0);
  converse(child, in, out, err, launch, outcome);
  int status = 0;
  rusage used{};
  ::wait4(child, &status, 0, &used);
  if (WIFEXITED(status)) outcome.code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) outcome.signal = WTERMSIG(status);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  outcome.cpu_s = seconds(used.ru_utime) + seconds(used.ru_stime);
  outcome.peak_kib = used.ru_maxrss;
  return outcome;
}

std::string error_line(const Outcome& outcome) {
  std::istringstream lines(outcome.err);
  std::string found;
  int count = 0;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("error:")) continue;
    found = line;
    ++count;
  }
  EXPECT_EQ(count, 1) << "standard error:\n" << outcome.err;
  return found;
}

void expect_refused(const Outcome& outcome, int code, const std::vector<std::string>& words) {
  EXPECT_EQ(outcome.signal, 0);
  EXPECT_EQ(outcome.code, code);
  const std::string line = error_line(outcome);
  for (const auto& word : words) EXPECT_NE(line.find(word), std::string::npos) << "no \"" << word << "\" in: " << line;
  EXPECT_LT(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 60) << "a page of usage?";
  EXPECT_LT(outcome.cpu_s, 1.0);
}

TestFolder::TestFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "keyflow-test-XXXXXX").string();
  if (!::mkdtemp(name.data())) std::abort();
  path_ = name;
}

TestFolder::~TestFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string TestFolder::write(const std::string& name, const std::string& content) const {
  std::ofstream(path_ / name, std::ios::binary) << content;
  return (path_ / name).string();
}

std::map<std::string, std::string> TestFolder::content() const {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(path_)) {
    files[std::filesystem::relative(entry.path(), path_).string()] =
        entry.is_regular_file() ? file_content(entry.path()) : "";
  }
  return files;
}

std::string file_content(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string safetensors_bytes(const std::string& json, size_t data) {
  std::string bytes;
  for (size_t i = 0; i < 8; ++i) bytes += static_cast<char>(json.size() >> (8 * i) & 0xFF);
  return bytes + json + std::string(data, '\0');
}

std::string bmp_bytes(int width, int height, unsigned char red, unsigned char green, unsigned char blue) {
  const int row = (width * 3 + 3) / 4 * 4;
  std::string bytes = "BM";
  const auto number = [&](uint32_t value, int size) {
    for (int i = 0; i < size; ++i) bytes += static_cast<char>(value >> (8 * i) & 0xFF);
  };
  number(static_cast<uint32_t>(54 + row * height), 4);
  number(0, 4);
  number(54, 4);
  number(40, 4);
  number(static_cast<uint32_t>(width), 4);
  number(static_cast<uint32_t>(height), 4);
  number(1, 2);
  number(24, 2);
  for (int i = 0; i < 6; ++i) number(0, 4);
  for (int y = 0; y < height; ++y) {
    std::string line;
    for (int x = 0; x < width; ++x) line += {static_cast<char>(blue), static_cast<char>(green), static_cast<char>(red)};
    line.resize(static_cast<size_t>(row), '\0');
    bytes += line;
  }
  return bytes;
}

}  // namespace keyflow::tests
