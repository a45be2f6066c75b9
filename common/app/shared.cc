#include "app/shared.hh"

namespace app {

static_assert(std::atomic<std::uint64_t>::is_always_lock_free, "a lock could die with its holder");

void Shared::connection_opened() noexcept {
  accepted.fetch_add(1, std::memory_order_relaxed);
  open.fetch_add(1, std::memory_order_relaxed);
}

void Shared::connections_closed(std::int64_t n) noexcept {
  open.fetch_sub(n, std::memory_order_relaxed);
}

void Shared::process_started(pid_t pid) noexcept {
  for (auto& place : pids) {
    pid_t free = 0;
    if (place.compare_exchange_strong(free, pid)) return;
  }
}

void Shared::process_ended(pid_t pid) noexcept {
  for (auto& place : pids) {
    pid_t gone = pid;
    if (place.compare_exchange_strong(gone, 0)) return;
  }
}

}  // namespace app
