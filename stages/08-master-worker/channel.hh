#pragma once

#include "net/fd.hh"

// The channel between the master and one worker: a pair of UNIX sockets over which open
// descriptors travel (unix(7), SCM_RIGHTS). The receiver gets a descriptor of its own for the same
// open socket, as if it had been there at the fork(2).
namespace channel {

// SOCK_SEQPACKET keeps messages apart and still tells when the other end is gone. Both ends are
// non-blocking and closed on exec. Throws std::system_error.
struct Ends {
  net::Fd master;
  net::Fd worker;
};
[[nodiscard]] Ends open();

enum class Handed {
  over,  // the worker has it, or will have: we may close our copy
  full,  // no room for a message now (EAGAIN), or too many descriptors on the way (ETOOMANYREFS)
  dead,  // nobody is at the other end
};
[[nodiscard]] Handed hand_over(const net::Fd& channel, const net::Fd& descriptor);

enum class News {
  descriptor,
  nothing,  // for now
  lost,     // the kernel had to drop a descriptor: this process may not have one more (MSG_CTRUNC)
  end,      // the other end will send no more, or is gone
};
struct Received {
  News news;
  net::Fd descriptor;
};
[[nodiscard]] Received receive(const net::Fd& channel);

}  // namespace channel
