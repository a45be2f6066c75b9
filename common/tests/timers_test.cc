#include "server/timers.hh"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <vector>

namespace {

using http::Time;
using server::milliseconds_until;
using namespace std::chrono_literals;

using Timers = server::Timers<std::uint64_t>;

constexpr Time start{1h};

std::vector<std::uint64_t> rung(Timers& timers, Time now) {
  std::vector<std::uint64_t> ids;
  while (const auto id = timers.ring(now)) ids.push_back(*id);
  return ids;
}

TEST(Timers, SleepForEverWithoutAnAlarm) {
  Timers timers;
  EXPECT_EQ(timers.sleep_ms(start), -1);
  EXPECT_FALSE(timers.ring(Time::max()));
}

TEST(Timers, RingWhenAnAlarmIsDueAndNotBefore) {
  Timers timers;
  Timers::Alarm alarm = Timers::none;
  timers.set(7, alarm, start + 10ms);
  EXPECT_EQ(alarm, start + 10ms);
  EXPECT_EQ(timers.sleep_ms(start), 10);
  EXPECT_FALSE(timers.ring(start + 10ms - 1ns));
  EXPECT_EQ(timers.ring(start + 10ms), 7U);
  EXPECT_FALSE(timers.ring(start + 1h)) << "once";
}

TEST(Timers, RingInTheOrderOfTime) {
  Timers timers;
  std::vector<Timers::Alarm> alarms(4, Timers::none);
  timers.set(0, alarms[0], start + 3ms);
  timers.set(1, alarms[1], start + 1ms);
  timers.set(2, alarms[2], start + 9ms);
  timers.set(3, alarms[3], start + 1ms);
  EXPECT_EQ(timers.sleep_ms(start), 1);
  EXPECT_EQ(rung(timers, start + 5ms), (std::vector<std::uint64_t>{1, 3, 0}));
  EXPECT_EQ(timers.sleep_ms(start + 5ms), 4);
}

TEST(Timers, RingTooEarlyRatherThanBeSetAnewForALaterTime) {
  Timers timers;
  Timers::Alarm alarm = Timers::none;
  timers.set(7, alarm, start + 10ms);
  timers.set(7, alarm, start + 20s);
  EXPECT_EQ(alarm, start + 10ms);
  EXPECT_EQ(rung(timers, start + 1h), (std::vector<std::uint64_t>{7}));
}

TEST(Timers, RingSoonerWhenAskedTo) {
  Timers timers;
  Timers::Alarm alarm = Timers::none;
  timers.set(7, alarm, start + 20s);
  timers.set(7, alarm, start + 10ms);
  EXPECT_EQ(timers.sleep_ms(start), 10);
  EXPECT_EQ(rung(timers, start + 1h), (std::vector<std::uint64_t>{7})) << "one alarm, not two";
}

TEST(Timers, DoNotRingWhatWasCancelled) {
  Timers timers;
  Timers::Alarm one = Timers::none;
  Timers::Alarm other = Timers::none;
  timers.set(1, one, start + 1ms);
  timers.set(2, other, start + 1ms);
  timers.cancel(1, one);
  EXPECT_EQ(one, Timers::none);
  timers.cancel(1, one);
  EXPECT_EQ(rung(timers, start + 1h), (std::vector<std::uint64_t>{2}));
  EXPECT_EQ(timers.sleep_ms(start), -1);
}

TEST(Timers, TakeNoAlarmForATimeThatNeverComes) {
  Timers timers;
  Timers::Alarm alarm = Timers::none;
  timers.set(7, alarm, Time::max());
  EXPECT_EQ(timers.sleep_ms(start), -1);
}

TEST(MillisecondsUntil, IsRoundedUpSoThatNobodyPolls) {
  EXPECT_EQ(milliseconds_until(start + 1ns, start), 1);
  EXPECT_EQ(milliseconds_until(start + 1ms, start), 1);
  EXPECT_EQ(milliseconds_until(start + 1ms + 1ns, start), 2);
}

TEST(MillisecondsUntil, IsZeroForWhatIsDue) {
  EXPECT_EQ(milliseconds_until(start, start), 0);
  EXPECT_EQ(milliseconds_until(start - 1h, start), 0);
  EXPECT_EQ(milliseconds_until(Time::min(), start), 0);
}

TEST(MillisecondsUntil, IsForEverForNeverAndFitsAnIntForEverythingElse) {
  EXPECT_EQ(milliseconds_until(Time::max(), start), -1);
  EXPECT_EQ(milliseconds_until(start + 24h * 365, start), 60'000);
}

}  // namespace
