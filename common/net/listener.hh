#pragma once

#include <cstdint>
#include <string>

#include "net/fd.hh"

namespace net {

// A TCP socket that listens. Connections it accepts inherit TCP_NODELAY (tcp(7)), so that the last
// part of a long reply does not wait for an acknowledgement.
class Listener {
 public:
  enum class Mode { blocking, nonblocking };

  // Listens on a numeric IPv4 or IPv6 address; port 0 takes any free one. `backlog` is how many
  // established connections may wait for accept(2); the kernel caps it at net.core.somaxconn.
  // Throws std::system_error (address in use, no permission) or std::invalid_argument.
  Listener(const std::string& host, std::uint16_t port, int backlog, Mode mode);

  [[nodiscard]] int get() const noexcept { return fd_.get(); }
  [[nodiscard]] const std::string& address() const noexcept { return address_; }  // host:port
  void close() noexcept { fd_.reset(); }

 private:
  Fd fd_;
  std::string address_;
};

// Why accept(2) gave no connection, sorted by what to do about it.
enum class AcceptError {
  none_waiting,     // EAGAIN: nothing to do now
  this_connection,  // it was given up while it waited (ECONNABORTED), its network failed, or a
                    // signal came first (EINTR): take the next
  no_resources,     // EMFILE, ENFILE, ENOBUFS, ENOMEM: serve whom we have, accept again later
  stopped,          // EINVAL: the listener was shut down to wake us
  broken,           // anything else: this process cannot go on
};

// `error` is errno after accept(2).
[[nodiscard]] AcceptError accept_error(int error) noexcept;

}  // namespace net
