#include "app/rendezvous.hh"

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

#include "app/shared_memory.hh"
#include "child.hh"

namespace {

using app::Rendezvous;
using app::Shared;
using http::Clock;
using http::Time;
using namespace std::chrono_literals;

constexpr Time start{1h};

class RendezvousTest : public testing::Test {
 protected:
  const app::SharedMemory<Shared> shared = app::map_shared<Shared>();
};

TEST_F(RendezvousTest, OfOneIsMetAtOnce) { EXPECT_TRUE(Rendezvous(*shared, 1, start).met(start)); }

TEST_F(RendezvousTest, IsMetWhenTheLastOneArrives) {
  Rendezvous one(*shared, 3, start);
  Rendezvous other(*shared, 3, start);
  EXPECT_FALSE(one.met(start));
  EXPECT_FALSE(other.met(start));
  Rendezvous last(*shared, 3, start);
  EXPECT_TRUE(one.met(start));
  EXPECT_TRUE(other.met(start));
  EXPECT_TRUE(last.met(start));
}

TEST_F(RendezvousTest, CountsOnlyWhoIsStillThere) {
  { const Rendezvous gone(*shared, 2, start); }
  EXPECT_FALSE(Rendezvous(*shared, 2, start).met(start));
}

TEST_F(RendezvousTest, CountsOnlyWhoWaitsForTheSameNumber) {
  const Rendezvous three(*shared, 3, start);
  EXPECT_FALSE(Rendezvous(*shared, 2, start).met(start));
}

TEST_F(RendezvousTest, StaysMetWhenTheOthersHaveLeft) {
  auto one = std::make_unique<Rendezvous>(*shared, 2, start);
  Rendezvous other(*shared, 2, start);
  one.reset();
  EXPECT_TRUE(other.met(start));
}

TEST_F(RendezvousTest, DoesNotCountWhoHasMetAlready) {
  const Rendezvous one(*shared, 2, start);
  const Rendezvous other(*shared, 2, start);
  EXPECT_FALSE(Rendezvous(*shared, 2, start).met(start)) << "those two are a party";
}

TEST_F(RendezvousTest, HasNoPlaceWhenTheHouseIsFull) {
  std::vector<std::unique_ptr<Rendezvous>> house;
  for (std::size_t i = 0; i < Shared::max_guests; ++i)
    house.push_back(std::make_unique<Rendezvous>(*shared, 4096, start));
  EXPECT_TRUE(house.front()->met(start));
  EXPECT_FALSE(Rendezvous(*shared, 1, start).met(start));
  house.pop_back();
  EXPECT_TRUE(Rendezvous(*shared, 1, start).met(start));
}

// Waits as a server does, by looking now and then.
bool meets(Shared& shared, std::uint32_t party, http::Duration patience) {
  const Time until = Clock::now() + patience;
  Rendezvous guest(shared, party, Clock::now());
  while (!guest.met(Clock::now())) {
    if (Clock::now() > until) return false;
    std::this_thread::yield();
  }
  return true;
}

TEST_F(RendezvousTest, IsMetAcrossThreads) {
  for (int round = 0; round < 50; ++round) {
    std::atomic<int> met = 0;
    {
      std::vector<std::jthread> threads;
      for (int i = 0; i < 4; ++i)
        threads.emplace_back([&] { met += meets(*shared, 4, 10s) ? 1 : 0; });
    }
    ASSERT_EQ(met, 4) << "round " << round;
  }
}

TEST_F(RendezvousTest, IsMetAcrossProcesses) {
  std::vector<pid_t> children;
  for (int i = 0; i < 3; ++i) {
    children.push_back(tests::fork_child());
    if (children.back() == 0) ::_exit(meets(*shared, 4, 10s) ? 0 : 1);
  }
  EXPECT_TRUE(meets(*shared, 4, 10s));
  for (const pid_t child : children) {
    int status = -1;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
}

// A child that arrives and is never seen again: its end is not told to anybody.
void die_waiting(Shared& shared, std::uint32_t party) {
  tests::in_child([&] {
    const Rendezvous guest(shared, party, start);
    ::_exit(0);
  });
}

TEST_F(RendezvousTest, DoesNotCountTheDeadAfterASecond) {
  die_waiting(*shared, 2);
  EXPECT_FALSE(Rendezvous(*shared, 2, start + 1s).met(start + 1s));
  EXPECT_TRUE(Rendezvous(*shared, 2, start + 999ms).met(start + 999ms)) << "so it was there";
}

TEST_F(RendezvousTest, GivesThePlacesOfTheDeadToOthersAfterAMinute) {
  for (std::size_t i = 0; i < Shared::max_guests; ++i) shared->guests[i].party = 9;  // seen at 0
  EXPECT_FALSE(Rendezvous(*shared, 1, Time{60s}).met(Time{60s}));
  EXPECT_TRUE(Rendezvous(*shared, 1, Time{61s}).met(Time{61s}));
}

TEST_F(RendezvousTest, CountsWhoKeepsLookingHoweverLongItTakes) {
  Rendezvous patient(*shared, 2, start);
  EXPECT_FALSE(patient.met(start + 59s));
  EXPECT_TRUE(Rendezvous(*shared, 2, start + 59s).met(start + 59s));
}

}  // namespace
