#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <ostream>
#include <string_view>

#include "histogram.hh"

namespace crowd {

// What can go wrong with a connection.
enum class Trouble : std::size_t {
  connect,  // it could not be made
  read,     // it was reset, or closed instead of a reply
  write,    // the request could not be sent
  timeout,  // nothing came for too long
  status,   // what came is no HTTP/1.1 reply with status 200
  length,   // a reply was too long, or stopped or ended too early
};
constexpr std::array<std::string_view, 6> troubles = {"connect", "read",   "write",
                                                      "timeout", "status", "length"};

// What was seen in one stretch of time. Latencies are in ns; requests that are meant to be slow
// have a histogram of their own.
struct Figures {
  std::uint64_t requests = 0;  // without the slow ones
  std::uint64_t bytes = 0;     // with them
  Histogram latency;           // of a batch, where requests are pipelined
  Histogram slow;
  std::uint64_t oldest = 0;  // age of the request that waited longest when the time was over
};

// How often each trouble was met.
struct Errors {
  std::array<std::uint64_t, troubles.size()> counts{};

  std::uint64_t& operator[](Trouble trouble) noexcept {
    return counts[static_cast<std::size_t>(trouble)];
  }
};

inline double microseconds(std::uint64_t ns) { return static_cast<double>(ns) / 1000; }

// The figures as fields of a JSON object. The slowest of all may be one that got no reply.
inline std::ostream& operator<<(std::ostream& out, const Figures& figures) {
  const Histogram& latency = figures.latency;
  out << R"("requests":)" << figures.requests << R"(,"bytes":)" << figures.bytes;
  out << R"(,"p50_us":)" << microseconds(latency.percentile(0.50));
  out << R"(,"p90_us":)" << microseconds(latency.percentile(0.90));
  out << R"(,"p99_us":)" << microseconds(latency.percentile(0.99));
  out << R"(,"max_us":)" << microseconds(std::max(latency.max(), figures.oldest));
  out << R"(,"slow":{"requests":)" << figures.slow.total();
  return out << R"(,"p50_us":)" << microseconds(figures.slow.percentile(0.50)) << '}';
}

inline std::ostream& operator<<(std::ostream& out, const Errors& errors) {
  const char* separator = R"("errors":{)";
  for (std::size_t i = 0; i < troubles.size(); ++i) {
    out << separator << '"' << troubles[i] << R"(":)" << errors.counts[i];
    separator = ",";
  }
  return out << '}';
}

}  // namespace crowd
