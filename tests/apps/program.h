#pragma once
#include <sys/types.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

// Runs the built program as a user would and judges how it ended.
namespace keyflow::tests {

struct Outcome {
  int code = -1;   ///< exit code, -1 when a signal ended it
  int signal = 0;  ///< the signal, 0 if it exited
  std::string out, err;
  double cpu_s = 0;   ///< user and system time, whatever else the machine does
  long peak_kib = 0;  ///< resident
};

struct Launch {
  std::string input = {};                     ///< on standard input
  std::vector<std::string> environment = {};  ///< "NAME=value" beside the inherited ones
  std::string shell = {};                     ///< run through sh after this: "ulimit -n 8;"
  std::string redirect = {};                  ///< with `shell`: behind the command, ">&-"
  bool reader_leaves = false;                 ///< nobody reads standard output
  int kill_with = 0;                          ///< send this signal ...
  std::string kill_when = {};                 ///< ... once standard error holds this text
};

/// keyflow with these arguments; returns when it has ended.
Outcome keyflow(const std::vector<std::string>& arguments, const Launch& launch = {});

/// The one line of `err` that starts with "error:"; fails the test when there is not exactly one.
std::string error_line(const Outcome& outcome);

/// The contract of a refusal: exited with `code`, one error line that holds all of `words`, little time.
void expect_refused(const Outcome& outcome, int code, const std::vector<std::string>& words);

/// A folder of its own for a test, removed at the end.
class TestFolder {
 public:
  TestFolder();
  ~TestFolder();
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;

  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }
  std::string write(const std::string& name, const std::string& content) const;  ///< returns the path
  /// Every file below the folder with its content.
  std::map<std::string, std::string> content() const;

 private:
  std::filesystem::path path_;
};

std::string file_content(const std::filesystem::path& path);

/// 8-byte length and JSON, as a safetensors file begins, then `data` zero bytes.
std::string safetensors_bytes(const std::string& json, size_t data);

/// A picture of one colour: an uncompressed 24-bit BMP.
std::string bmp_bytes(int width, int height, unsigned char red, unsigned char green, unsigned char blue);

}  // namespace keyflow::tests
