#include "app/shared.hh"

#include <gtest/gtest.h>

#include <algorithm>

#include "app/shared_memory.hh"
#include "child.hh"

namespace {

using app::Shared;

std::ptrdiff_t places_of(const Shared& shared, pid_t pid) {
  return std::count_if(shared.pids.begin(), shared.pids.end(),
                       [pid](const auto& place) { return place.load() == pid; });
}

TEST(Shared, AddsUpOverProcesses) {
  const app::SharedMemory<Shared> shared = app::map_shared<Shared>();
  shared->connection_opened();
  tests::in_child([&] {
    shared->connection_opened();
    shared->connection_opened();
    shared->connections_closed();
    shared->traffic.requests += 7;
  });
  EXPECT_EQ(shared->accepted, 3U);
  EXPECT_EQ(shared->open, 2);
  EXPECT_EQ(shared->traffic.requests, 7U);
  shared->connections_closed(2);  // on behalf of one who died
  EXPECT_EQ(shared->open, 0);
}

TEST(Shared, KnowsWhichProcessesThereAre) {
  const app::SharedMemory<Shared> shared = app::map_shared<Shared>();
  shared->process_started(100);
  shared->process_started(200);
  shared->process_ended(100);
  shared->process_ended(300);  // nobody
  EXPECT_EQ(places_of(*shared, 100), 0);
  EXPECT_EQ(places_of(*shared, 200), 1);
  shared->process_started(400);
  EXPECT_EQ(shared->pids[0], 400) << "free places are used again";
}

TEST(Shared, OverlooksAProcessForWhichThereIsNoPlace) {
  const app::SharedMemory<Shared> shared = app::map_shared<Shared>();
  for (pid_t pid = 1; pid <= static_cast<pid_t>(Shared::max_processes) + 1; ++pid)
    shared->process_started(pid);
  EXPECT_EQ(places_of(*shared, static_cast<pid_t>(Shared::max_processes)), 1);
  EXPECT_EQ(places_of(*shared, static_cast<pid_t>(Shared::max_processes) + 1), 0);
}

}  // namespace
