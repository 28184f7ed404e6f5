#include "core/last_words.h"

#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>

#include "core/error.h"

namespace keyflow {
namespace {

struct Mapping {
  uintptr_t begin, end;
  std::string line;  // whole, so that the handler only writes
};

// A mapping or file beyond the last slot is simply not guarded.
std::array<std::atomic<Mapping*>, 4096> mappings{};
std::array<std::atomic<std::string*>, 64> temporaries{};

template <class Item, size_t Size>
void add(std::array<std::atomic<Item*>, Size>& table, Item* item) {
  for (auto& slot : table) {
    Item* empty = nullptr;
    if (slot.compare_exchange_strong(empty, item)) return;
  }
  delete item;
}

template <class Item, size_t Size, class Match>
void remove(std::array<std::atomic<Item*>, Size>& table, const Match& match) {
  for (auto& slot : table) {
    Item* item = slot.load();
    if (item && match(*item) && slot.compare_exchange_strong(item, nullptr)) {
      delete item;
      return;
    }
  }
}

void on_bus_error(int number, siginfo_t* info, void*) {
  const auto address = reinterpret_cast<uintptr_t>(info->si_addr);
  for (auto& slot : mappings) {
    const Mapping* mapping = slot.load();
    if (!mapping || address < mapping->begin || address >= mapping->end) continue;
    unlink_temporaries();
    [[maybe_unused]] const auto ignored = ::write(STDERR_FILENO, mapping->line.data(), mapping->line.size());
    ::_exit(1);
  }
  ::signal(number, SIG_DFL);
}

}  // namespace

void install_bus_guard() {
  struct sigaction action {};
  action.sa_sigaction = on_bus_error;
  action.sa_flags = SA_SIGINFO;
  ::sigaction(SIGBUS, &action, nullptr);
}

void guard_mapping(const void* begin, size_t bytes, const std::string& name) {
  const auto address = reinterpret_cast<uintptr_t>(begin);
  add(mappings, new Mapping{address, address + bytes,
                            c10::str("error: io: ", name, ": cannot read a mapped page; expected ", bytes,
                                     " bytes; the file was cut short or replaced while in use\n")});
}

void unguard_mapping(const void* begin) {
  const auto address = reinterpret_cast<uintptr_t>(begin);
  remove(mappings, [&](const Mapping& mapping) { return mapping.begin == address; });
}

void guard_temporary(const std::string& path) { add(temporaries, new std::string(path)); }

void unguard_temporary(const std::string& path) {
  remove(temporaries, [&](const std::string& item) { return item == path; });
}

void unlink_temporaries() noexcept {
  for (auto& slot : temporaries) {
    if (const std::string* path = slot.load()) ::unlink(path->c_str());
  }
}

}  // namespace keyflow
