#pragma once

#include <signal.h>

#include "http/time.hh"

namespace server {

// SIGTERM and SIGINT. The first asks the server to drain: stop accepting, finish replies under
// way, exit 0; whatever is left after the drain timeout is cut off, and the exit status is still 0.
// The second ends the server at once.
//
// A signal that only sets a flag is lost on a thread that tests the flag and then goes to sleep in
// the kernel. So there are two more ways to hear of it, and neither can be missed:
// - descriptor() becomes readable: for select(2), poll(2), epoll(7);
// - Wake: for a thread that blocks in accept(2) or recv(2). The signal shuts the socket down for
//   reading, and a socket remembers that: accept says EINVAL, recv says end of input.
class Stop {
 public:
  // Installs the handlers; there is one Stop in a process. Throws std::system_error.
  explicit Stop(http::Duration drain_timeout);

  [[nodiscard]] bool requested() const noexcept;
  [[nodiscard]] int descriptor() const;  // made when first asked for; throws std::system_error

  // A child process hears of its own signals and wakes its own clients; being asked twice does not
  // end it, since its parent and the terminal may both ask. To be called after fork(2), with the
  // signals Blocked since before it; they come again when it returns.
  void in_child() const noexcept;

  // As long as it lives, a stop signal shuts `fd` down for reading.
  class Wake {
   public:
    explicit Wake(int fd) noexcept;
    ~Wake();
    Wake(const Wake&) = delete;
    Wake& operator=(const Wake&) = delete;

   private:
    int fd_;
  };

  // Keeps SIGTERM, SIGINT and SIGCHLD away while it lives: for what a handler must not interrupt.
  class Blocked {
   public:
    Blocked() noexcept;
    ~Blocked();
    Blocked(const Blocked&) = delete;
    Blocked& operator=(const Blocked&) = delete;

    void sleep() noexcept;  // lets them come until one has come

   private:
    sigset_t before_;
  };
};

}  // namespace server
