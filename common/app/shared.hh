#pragma once

#include <sys/types.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "http/settings.hh"

namespace app {

// What the processes of a stage have in common; see shared_memory.hh.
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

  void connection_opened() noexcept;
  void connections_closed(std::int64_t n = 1) noexcept;
  void process_started(pid_t pid) noexcept;
  void process_ended(pid_t pid) noexcept;
};

}  // namespace app
