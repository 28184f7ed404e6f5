#pragma once
#include <cstddef>
#include <string>

// What a signal handler may still do before the process ends: say which mapped file failed, and remove unfinished
// output. The tables are fixed arrays of atomic pointers, because a handler can take no lock and allocate nothing.
namespace keyflow {

/// From now on a page of a registered mapping that cannot be read (the file was cut short, the disk failed) ends the
/// process with one error line and exit code 1 instead of SIGBUS. Installed by programs, never by the library.
void install_bus_guard();

/// Registers bytes of a mapped file under the name to be printed; MappedFile does so itself.
void guard_mapping(const void* begin, size_t bytes, const std::string& name);
void unguard_mapping(const void* begin);

/// Registers an unfinished file; AtomicFile does so itself.
void guard_temporary(const std::string& path);
void unguard_temporary(const std::string& path);

/// Unlinks every registered unfinished file; for signal handlers that end the process.
void unlink_temporaries() noexcept;

}  // namespace keyflow
