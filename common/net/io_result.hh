#pragma once

#include <sys/types.h>

#include <cerrno>
#include <cstddef>

namespace net {

enum class Io {
  done,         // `bytes` were moved; recv(2) says 0 when the peer will send no more
  again,        // nothing can be moved now: it would block, or timed out (SO_RCVTIMEO)
  interrupted,  // a signal came first (EINTR): nothing is known
  failed,       // this connection is lost (ECONNRESET, EPIPE, ...); the process is fine
};

// What recv(2) or send(2) has just returned, sorted by what to do about it.
struct IoResult {
  Io status;
  std::size_t bytes;
};

// Takes the result straight from the call, while errno is still that call's.
[[nodiscard]] inline IoResult io_result(ssize_t n) noexcept {
  if (n >= 0) return {Io::done, static_cast<std::size_t>(n)};
  if (errno == EAGAIN || errno == EWOULDBLOCK) return {Io::again, 0};
  if (errno == EINTR) return {Io::interrupted, 0};
  return {Io::failed, 0};
}

}  // namespace net
