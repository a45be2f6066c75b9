#include "net/listener.hh"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <stdexcept>
#include <string>
#include <system_error>

namespace {

using net::accept_error;
using net::AcceptError;
using net::Fd;
using net::Listener;
using Mode = Listener::Mode;

std::uint16_t port_of(const Listener& listener) {
  const std::string& address = listener.address();
  return static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
}

int option(int fd, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  ::getsockopt(fd, level, name, &value, &size);
  return value;
}

Fd connect_to(std::uint16_t port) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  Fd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(client.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) == -1)
    client.reset();
  return client;
}

TEST(Listener, TakesAnyFreePortForZeroAndSaysWhich) {
  const Listener listener("127.0.0.1", 0, 16, Mode::blocking);
  EXPECT_TRUE(listener.address().starts_with("127.0.0.1:")) << listener.address();
  EXPECT_GE(port_of(listener), 1024);
}

TEST(Listener, AcceptsWhoConnects) {
  const Listener listener("127.0.0.1", 0, 16, Mode::blocking);
  const Fd client = connect_to(port_of(listener));
  ASSERT_TRUE(client.is_open());
  const Fd accepted(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  ASSERT_TRUE(accepted.is_open());
  EXPECT_NE(option(accepted.get(), IPPROTO_TCP, TCP_NODELAY), 0) << "inherited from the listener";
}

TEST(Listener, BlocksOnlyWhenItIsMeantTo) {
  const Listener blocking("127.0.0.1", 0, 16, Mode::blocking);
  const Listener nonblocking("127.0.0.1", 0, 16, Mode::nonblocking);
  EXPECT_EQ(::fcntl(blocking.get(), F_GETFL) & O_NONBLOCK, 0);
  ASSERT_NE(::fcntl(nonblocking.get(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_EQ(::accept4(nonblocking.get(), nullptr, nullptr, SOCK_CLOEXEC), -1);
  EXPECT_EQ(accept_error(errno), AcceptError::none_waiting);
}

TEST(Listener, IsNotInheritedByProgramsThatAreExecuted) {
  const Listener listener("127.0.0.1", 0, 16, Mode::blocking);
  EXPECT_NE(::fcntl(listener.get(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST(Listener, SaysThatItsPortIsInUse) {
  const Listener first("127.0.0.1", 0, 16, Mode::blocking);
  try {
    const Listener second("127.0.0.1", port_of(first), 16, Mode::blocking);
    FAIL() << "both listen at " << first.address();
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code(), std::errc::address_in_use);
    EXPECT_EQ(error.what(), "bind " + first.address() + ": Address already in use");
  }
}

TEST(Listener, CanTakeAPortAgainAsSoonAsItIsFree) {
  Listener first("127.0.0.1", 0, 16, Mode::blocking);
  const std::uint16_t port = port_of(first);
  {
    const Fd client = connect_to(port);
    Fd accepted(::accept4(first.get(), nullptr, nullptr, SOCK_CLOEXEC));
    ASSERT_TRUE(accepted.is_open());
    accepted.reset();  // we close first: the connection waits for its end on our side
  }
  first.close();
  EXPECT_FALSE(connect_to(port).is_open());
  EXPECT_NO_THROW(Listener("127.0.0.1", port, 16, Mode::blocking));
}

TEST(Listener, ListensOnIpv6) {
  if (!Fd(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0)).is_open())
    GTEST_SKIP() << "no IPv6 here";
  try {
    const Listener listener("::1", 0, 16, Mode::blocking);
    EXPECT_TRUE(listener.address().starts_with("[::1]:")) << listener.address();
    EXPECT_GE(port_of(listener), 1024);
  } catch (const std::system_error& error) {
    ASSERT_EQ(error.code(), std::errc::address_not_available) << error.what();
    GTEST_SKIP() << "no IPv6 loopback here";
  }
}

TEST(Listener, RefusesWhatIsNoNumericAddress) {
  for (const char* host : {"", "localhost", "127.0.0.1:80", "256.0.0.1", "[::1]", "::g"})
    EXPECT_THROW(Listener(host, 0, 16, Mode::blocking), std::invalid_argument) << host;
}

TEST(Listener, RefusesAnAddressThatIsNotOurs) {
  EXPECT_THROW(Listener("192.0.2.1", 0, 16, Mode::blocking), std::system_error);  // RFC 5737
}

TEST(AcceptError, SaysWhatToDo) {
  for (const int error : {EAGAIN, EWOULDBLOCK})
    EXPECT_EQ(accept_error(error), AcceptError::none_waiting) << error;
  for (const int error :
       {EINTR, ECONNABORTED, EPERM, ENETDOWN, EPROTO, ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH,
        EOPNOTSUPP, ENETUNREACH})  // accept(2), "Error handling"
    EXPECT_EQ(accept_error(error), AcceptError::this_connection) << error;
  for (const int error : {EMFILE, ENFILE, ENOBUFS, ENOMEM})
    EXPECT_EQ(accept_error(error), AcceptError::no_resources) << error;
  for (const int error : {EBADF, ENOTSOCK, EFAULT})
    EXPECT_EQ(accept_error(error), AcceptError::broken) << error;
}

TEST(AcceptError, KnowsAListenerThatWasShutDown) {
  const Listener listener("127.0.0.1", 0, 16, Mode::blocking);
  ASSERT_EQ(::shutdown(listener.get(), SHUT_RD), 0);
  EXPECT_EQ(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC), -1);
  EXPECT_EQ(accept_error(errno), AcceptError::stopped);
}

}  // namespace
