#include "http/date.hh"

#include <time.h>

#include <array>
#include <chrono>
#include <cstring>
#include <string_view>

namespace http {

// By hand: strftime(3) takes ten times as long, and a thread that lives for one request pays it
// once a request.
std::string format_date(std::time_t when) {
  using namespace std::chrono;
  const sys_seconds time{seconds(when)};
  const auto day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(time - day);

  std::string text = "Sun, 00 Jan 0000 00:00:00 GMT";
  const auto name = [&](std::size_t at, std::string_view names, unsigned number) {
    names.copy(&text[at], 3, 3 * number);
  };
  const auto digits = [&](std::size_t last, unsigned number) {
    for (std::size_t at = last; number > 0; --at, number /= 10)
      text[at] = static_cast<char>('0' + number % 10);
  };
  name(0, "SunMonTueWedThuFriSat", weekday(day).c_encoding());
  digits(6, static_cast<unsigned>(date.day()));
  name(8, "JanFebMarAprMayJunJulAugSepOctNovDec", static_cast<unsigned>(date.month()) - 1);
  digits(15, static_cast<unsigned>(static_cast<int>(date.year())));
  digits(18, static_cast<unsigned>(clock.hours().count()));
  digits(21, static_cast<unsigned>(clock.minutes().count()));
  digits(24, static_cast<unsigned>(clock.seconds().count()));
  return text;
}

std::optional<std::time_t> parse_date(std::string_view text) {
  const std::string date(text);
  for (const char* form :
       {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y"}) {
    std::tm utc{};
    const char* end = ::strptime(date.c_str(), form, &utc);
    if (end == date.c_str() + date.size()) return ::timegm(&utc);
  }
  return std::nullopt;
}

std::string_view current_date() {
  thread_local std::time_t second = -1;
  thread_local std::array<char, 32> text{};
  // The coarse clock is the one that time(2) reads: it moves with the timer tick and costs least.
  std::timespec now{};
  ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
  if (now.tv_sec != second) {
    second = now.tv_sec;
    const std::string made = format_date(second);
    std::memcpy(text.data(), made.c_str(), made.size() + 1);
  }
  return {text.data(), 29};
}

}  // namespace http
