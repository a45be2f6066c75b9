#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "http/date.hh"
#include "http/request.hh"
#include "http/status.hh"
#include "http/time.hh"

namespace http {

// What all sessions of a stage have done so far, over all its threads and processes.
struct Traffic {
  std::atomic<std::uint64_t> requests{0};
  std::atomic<std::uint64_t> bytes_in{0};
  std::atomic<std::uint64_t> bytes_out{0};
};

// A reply that is about to leave, as the access log wants it. Nothing is known of the request when
// its head was refused.
struct LogEntry {
  std::string_view request;  // "GET /hello", or "-"
  Status status;
  std::uint64_t length;  // of the body
};

// What is the same for all sessions of a server. It must outlive them.
struct Settings {
  static constexpr std::size_t max_head = 16 * 1024;   // bytes of a whole head, else 431
  static constexpr std::size_t max_target = 8 * 1024;  // bytes of a request target, else 414
  std::size_t max_body = 1024 * 1024;                  // bytes of a request's body, else 413

  Duration idle_timeout = std::chrono::seconds(20);    // between requests
  Duration header_timeout = std::chrono::seconds(10);  // for a whole head, else 408
  Duration io_timeout = std::chrono::seconds(20);      // a body or a reply that does not move

  std::string_view (*date)() = current_date;  // the Date field's value
  void (*log)(const LogEntry&) = nullptr;
  Traffic* traffic = nullptr;
};

}  // namespace http
