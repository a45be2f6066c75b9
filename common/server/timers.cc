#include "server/timers.hh"

#include <algorithm>
#include <chrono>

namespace server {

int milliseconds_until(http::Time due, http::Time now) {
  if (due == http::Time::max()) return -1;
  if (due <= now) return 0;
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(due - now).count();
  return static_cast<int>(std::min<std::int64_t>(ms, 60'000));
}

void Timers::set(Id id, Alarm& alarm, http::Time due) {
  if (due >= alarm) return;
  cancel(id, alarm);
  alarm = due;
  alarms_.emplace(due, id);
}

void Timers::cancel(Id id, Alarm& alarm) {
  if (alarm != none) alarms_.erase({alarm, id});
  alarm = none;
}

std::optional<Timers::Id> Timers::ring(http::Time now) {
  if (alarms_.empty() || alarms_.begin()->first > now) return std::nullopt;
  const Id id = alarms_.begin()->second;
  alarms_.erase(alarms_.begin());
  return id;
}

int Timers::sleep_ms(http::Time now) const {
  return milliseconds_until(alarms_.empty() ? none : alarms_.begin()->first, now);
}

}  // namespace server
