#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <set>
#include <utility>

#include "http/time.hh"

namespace server {

// Milliseconds from `now` to `due` as poll(2) and epoll_wait(2) take them: rounded up, lest a
// deadline that is a fraction of a millisecond away is polled for; -1 (for ever) for Time::max().
[[nodiscard]] inline int milliseconds_until(http::Time due, http::Time now) {
  if (due == http::Time::max()) return -1;
  if (due <= now) return 0;
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(due - now).count();
  return static_cast<int>(std::min<std::int64_t>(ms, 60'000));
}

// Alarms for many connections, at most one each. A deadline that moves further away, as it does
// with every request, costs nothing: the alarm stays where it is, rings too early, and is set
// again. So whoever is rung looks whether its deadline has really come.
template <typename Id>
class Timers {
 public:
  // When a connection's alarm will ring. The connection keeps it.
  using Alarm = http::Time;
  static constexpr Alarm none = http::Time::max();

  // Makes the alarm ring at `due` or sooner.
  void set(Id id, Alarm& alarm, http::Time due) {
    if (due >= alarm) return;
    cancel(id, alarm);
    alarm = due;
    alarms_.emplace(due, id);
  }

  void cancel(Id id, Alarm& alarm) {
    if (alarm != none) alarms_.erase({alarm, id});
    alarm = none;
  }

  // The next whose alarm rings by `now`; it is then no longer set, so make its Alarm `none`.
  [[nodiscard]] std::optional<Id> ring(http::Time now) {
    if (alarms_.empty() || alarms_.begin()->first > now) return std::nullopt;
    const Id id = alarms_.begin()->second;
    alarms_.erase(alarms_.begin());
    return id;
  }

  // How long poll(2) or epoll_wait(2) may sleep, in milliseconds; -1 for ever.
  [[nodiscard]] int sleep_ms(http::Time now) const {
    return milliseconds_until(alarms_.empty() ? none : alarms_.begin()->first, now);
  }

 private:
  std::set<std::pair<http::Time, Id>> alarms_;
};

}  // namespace server
