#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <utility>

#include "http/time.hh"

namespace server {

// Alarms for many connections, at most one each. A deadline that moves further away, as it does
// with every request, costs nothing: the alarm stays where it is, rings too early, and is set
// again. So whoever is rung looks whether its deadline has really come.
class Timers {
 public:
  using Id = std::uint64_t;

  // When a connection's alarm is set to ring. Kept by the connection.
  using Alarm = http::Time;
  static constexpr Alarm none = http::Time::max();

  // Makes the alarm ring at `due` or sooner.
  void set(Id id, Alarm& alarm, http::Time due);
  void cancel(Id id, Alarm& alarm);

  // The next whose alarm rings by `now`; it is then no longer set, so make its Alarm `none`.
  [[nodiscard]] std::optional<Id> ring(http::Time now);

  // How long poll(2) or epoll_wait(2) may sleep: milliseconds, rounded up; -1 for ever.
  [[nodiscard]] int sleep_ms(http::Time now) const;

 private:
  std::set<std::pair<http::Time, Id>> alarms_;
};

// Milliseconds from `now` to `due` as poll(2) takes them: rounded up, so that a deadline which is
// a fraction of a millisecond away is not polled for; -1 when `due` is Time::max().
[[nodiscard]] int milliseconds_until(http::Time due, http::Time now);

}  // namespace server
