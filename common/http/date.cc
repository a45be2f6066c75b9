#include "http/date.hh"

#include <time.h>

#include <array>
#include <cstring>

namespace http {

std::string format_date(std::time_t when) {
  std::tm utc{};
  ::gmtime_r(&when, &utc);
  std::array<char, 32> text{};
  const std::size_t n = std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &utc);
  return {text.data(), n};
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
