#pragma once

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>

#include "net/fd.hh"

namespace crowd {

// Where connections come from and go to. From K > 1 sources means from 127.0.0.1, 127.0.0.2, ...
// in turn: one address has only some 28,000 ports.
class Origin {
 public:
  Origin(const sockaddr_in& server, unsigned sources) : server_(server), sources_(sources) {}

  // A socket that is connected, or is about to be; without one, errno says why. A receive buffer
  // of 0 bytes means the usual one, which grows.
  [[nodiscard]] net::Fd connect(int receive_buffer) {
    net::Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd.is_open() || !set(fd, IPPROTO_TCP, TCP_NODELAY, 1)) return {};
    if (receive_buffer > 0 && !set(fd, SOL_SOCKET, SO_RCVBUF, receive_buffer)) return {};
    if (sources_ > 1 && !bind_next(fd)) return {};
    if (::connect(fd.get(), raw(server_), sizeof server_) == 0 || errno == EINPROGRESS) return fd;
    return {};
  }

 private:
  static bool set(const net::Fd& fd, int level, int option, int value) {
    return ::setsockopt(fd.get(), level, option, &value, sizeof value) == 0;
  }
  static const sockaddr* raw(const sockaddr_in& address) {
    return reinterpret_cast<const sockaddr*>(&address);
  }

  // The port is left to connect(), which knows that only the pair of ends must be unique.
  bool bind_next(const net::Fd& fd) {
    sockaddr_in source{};
    source.sin_family = AF_INET;
    source.sin_addr.s_addr = htonl(INADDR_LOOPBACK + next_++ % sources_);
    return set(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1) &&
           ::bind(fd.get(), raw(source), sizeof source) == 0;
  }

  sockaddr_in server_;
  unsigned sources_;
  unsigned next_ = 0;
};

}  // namespace crowd
