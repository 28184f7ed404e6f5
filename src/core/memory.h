#pragma once
#include <cstdint>

namespace keyflow {

/// Keeps freed blocks inside the process instead of giving them back to the system after every tensor:
/// page faults cost a quarter of a forward pass otherwise.
void tune_allocator();

/// Gives freed memory back to the system; called between phases.
void trim_memory();

/// Resident bytes now, and the most there were since the start (or the last reset, where the kernel allows one).
uint64_t resident_bytes();
uint64_t peak_resident_bytes();
void reset_peak_resident();

/// Bytes this process may still take: the least of free physical memory, the address-space limit and the cgroup's.
uint64_t available_bytes();

}  // namespace keyflow
