#include "net/listener.hh"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cstring>
#include <stdexcept>

#include "net/error.hh"

namespace net {
namespace {

// An IPv4 or IPv6 address as bind(2) wants it.
struct Address {
  sockaddr_storage storage{};
  socklen_t length = 0;

  [[nodiscard]] sockaddr* raw() noexcept { return reinterpret_cast<sockaddr*>(&storage); }
  [[nodiscard]] int family() const noexcept { return storage.ss_family; }
};

Address parse(const std::string& host, std::uint16_t port) {
  Address address;
  sockaddr_in v4{};
  sockaddr_in6 v6{};
  if (::inet_pton(AF_INET, host.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    std::memcpy(&address.storage, &v4, sizeof v4);
    address.length = sizeof v4;
  } else if (::inet_pton(AF_INET6, host.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    std::memcpy(&address.storage, &v6, sizeof v6);
    address.length = sizeof v6;
  } else {
    throw std::invalid_argument("--host " + host +
                                ": not a numeric address (try 127.0.0.1, 0.0.0.0 or ::1)");
  }
  return address;
}

std::uint16_t port_of(int fd, Address address) {
  if (::getsockname(fd, address.raw(), &address.length) == -1) throw_errno("getsockname");
  sockaddr_in v4{};
  std::memcpy(&v4, &address.storage, sizeof v4);  // the port sits in the same place in IPv6
  return ntohs(v4.sin_port);
}

void enable(int fd, int level, int option, const char* name) {
  const int on = 1;
  if (::setsockopt(fd, level, option, &on, sizeof on) == -1) throw_errno(name);
}

}  // namespace

Listener::Listener(const std::string& host, std::uint16_t port, int backlog, Mode mode) {
  Address address = parse(host, port);
  //@lab 00 make the socket, give it its address, listen
  const int nonblock = mode == Mode::nonblocking ? SOCK_NONBLOCK : 0;
  fd_.reset(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | nonblock, 0));
  if (!fd_.is_open()) throw_errno("socket");

  // Without it a restart has to wait until the last connections have left TIME_WAIT (socket(7)).
  enable(fd_.get(), SOL_SOCKET, SO_REUSEADDR, "setsockopt SO_REUSEADDR");
  enable(fd_.get(), IPPROTO_TCP, TCP_NODELAY, "setsockopt TCP_NODELAY");

  const std::string where = host + ":" + std::to_string(port);
  if (::bind(fd_.get(), address.raw(), address.length) == -1) throw_errno("bind " + where);
  if (::listen(fd_.get(), backlog) == -1) throw_errno("listen " + where);
  //| lab::not_implemented("lab 00: Listener::Listener()",
  //|                      "four calls: socket, setsockopt (enable() above does it), bind, listen",
  //|                      backlog, mode, enable);
  //@end

  const std::string shown = address.family() == AF_INET6 ? "[" + host + "]" : host;
  address_ = shown + ":" + std::to_string(port_of(fd_.get(), address));
}

AcceptError accept_error(int error) noexcept {
  //@lab 00 sort accept(2)'s errors by what to do about them
  switch (error) {
    case EAGAIN: return AcceptError::none_waiting;
    case EINTR:
    case ECONNABORTED:  // accept(2): Linux also reports a new connection's pending network errors
    case EPERM:         // a firewall rule
    case ENETDOWN:
    case EPROTO:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
    case ETIMEDOUT: return AcceptError::this_connection;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM: return AcceptError::no_resources;
    case EINVAL: return AcceptError::stopped;
    default: return AcceptError::broken;
  }
  //| lab::not_implemented("lab 00: accept_error()",
  //|                      "listener.hh says what each answer means; accept(2) lists the errors",
  //|                      error);
  //@end
}

}  // namespace net
