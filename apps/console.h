#pragma once
#include <string>
#include <string_view>

namespace keyflow::apps {

/// Opens /dev/null on whichever of the three standard streams is closed, so that no file of ours gets its number and
/// receives what was meant for it.
void open_standard_streams();

/// Writes all of it to standard output; throws Error::io when that fails (reader gone, disk full).
void print(std::string_view text);

/// All of standard input, at most `limit` bytes; throws Error::io.
std::string read_standard_input(size_t limit);

/// Writes to standard error and does not care whether anyone listens.
void note(std::string_view text);

bool output_is_terminal();
bool errors_go_to_terminal();
/// Columns of the terminal behind standard error; 80 where there is none.
size_t terminal_columns();

/// "412 MiB", "26.4 GiB", "980 KiB": three digits are enough for a reader.
std::string bytes_text(uint64_t bytes);
/// "14,288,491,584"
std::string grouped(uint64_t number);
/// "0.8 s", "12 s", "3:07", "1:02:03"
std::string duration_text(double seconds);

}  // namespace keyflow::apps
