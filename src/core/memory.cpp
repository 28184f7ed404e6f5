#include "core/memory.h"

#include <malloc.h>
#include <sys/resource.h>

#include <algorithm>
#include <climits>
#include <fstream>
#include <limits>
#include <string>

namespace keyflow {
namespace {

/// A "Name:   123 kB" line of a /proc file, in bytes; 0 if absent.
uint64_t proc_bytes(const char* file, const std::string& name) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(name + ":")) return std::strtoull(line.c_str() + name.size() + 1, nullptr, 10) * 1024;
  }
  return 0;
}

uint64_t number_in(const char* file, uint64_t fallback) {
  std::ifstream in(file);
  uint64_t value = 0;
  return in >> value ? value : fallback;
}

}  // namespace

void tune_allocator() {
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, INT_MAX);
  mallopt(M_TOP_PAD, 64 << 20);
}

void trim_memory() { malloc_trim(0); }

uint64_t resident_bytes() { return proc_bytes("/proc/self/status", "VmRSS"); }
uint64_t peak_resident_bytes() { return proc_bytes("/proc/self/status", "VmHWM"); }
void reset_peak_resident() { std::ofstream("/proc/self/clear_refs") << "5"; }

uint64_t available_bytes() {
  constexpr uint64_t none = std::numeric_limits<uint64_t>::max();
  uint64_t available = proc_bytes("/proc/meminfo", "MemAvailable");
  if (available == 0) available = none;
  const uint64_t limit = number_in("/sys/fs/cgroup/memory.max", none);
  const uint64_t used = number_in("/sys/fs/cgroup/memory.current", 0);
  if (limit != none) available = std::min(available, limit > used ? limit - used : 0);
  struct rlimit space {};
  if (getrlimit(RLIMIT_AS, &space) == 0 && space.rlim_cur != RLIM_INFINITY) {
    const uint64_t mapped = proc_bytes("/proc/self/status", "VmSize");
    available = std::min<uint64_t>(available, space.rlim_cur > mapped ? space.rlim_cur - mapped : 0);
  }
  return available;
}

}  // namespace keyflow
