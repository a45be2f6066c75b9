#pragma once

#include <sys/types.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "http/settings.hh"

namespace app {

// What the processes of a stage have in common. It lives in memory that is mapped before the first
// fork(2), and whoever changes it may die at any time: so there are counters, but no locks.
struct Shared {
  static constexpr std::size_t max_processes = 4096;
  static constexpr std::size_t max_guests = 4096;

  http::Traffic traffic;
  std::atomic<std::uint64_t> accepted{0};
  std::atomic<std::int64_t> open{0};
  std::array<std::atomic<pid_t>, max_processes> pids{};  // 0: free

  // A request that waits in /rendezvous; see rendezvous.hh.
  struct Guest {
    std::atomic<std::uint64_t> party{0};  // how many it waits for; 0: free; with `met_bit`: met
    std::atomic<std::int64_t> seen{0};    // monotonic nanoseconds: when its process last looked
  };
  std::array<Guest, max_guests> guests{};

  // Maps one with mmap(MAP_SHARED | MAP_ANONYMOUS); throws std::system_error.
  struct Unmap {
    void operator()(Shared* shared) const noexcept;
  };
  using Owner = std::unique_ptr<Shared, Unmap>;
  [[nodiscard]] static Owner map();

  void connection_opened() noexcept;
  void connections_closed(std::int64_t n = 1) noexcept;
  void process_started(pid_t pid) noexcept;
  void process_ended(pid_t pid) noexcept;
};

}  // namespace app
