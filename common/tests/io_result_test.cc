#include "net/io_result.hh"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>

#include "net/fd.hh"

namespace {

using net::Fd;
using net::Io;
using net::io_result;
using net::IoResult;

IoResult failed_with(int error) {
  errno = error;
  return io_result(-1);
}

TEST(IoResult, SortsErrorsByWhatToDoAboutThem) {
  for (const int error : {EAGAIN, EWOULDBLOCK}) EXPECT_EQ(failed_with(error).status, Io::again);
  EXPECT_EQ(failed_with(EINTR).status, Io::interrupted);
  for (const int error : {ECONNRESET, EPIPE, ETIMEDOUT, EHOSTUNREACH, ENOTCONN, EBADF, ENOMEM})
    EXPECT_EQ(failed_with(error).status, Io::failed) << error;
  EXPECT_EQ(failed_with(EAGAIN).bytes, 0U);
}

class RealSockets : public testing::Test {
 protected:
  void SetUp() override {
    std::array<int, 2> ends{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
    here.reset(ends[0]);
    there.reset(ends[1]);
  }

  IoResult receive() { return io_result(::recv(here.get(), buffer.data(), buffer.size(), 0)); }

  Fd here;
  Fd there;
  std::array<char, 16> buffer;
};

TEST_F(RealSockets, HaveNothingYet) { EXPECT_EQ(receive().status, Io::again); }

TEST_F(RealSockets, GiveTheBytesThatAreThere) {
  ASSERT_EQ(::send(there.get(), "abc", 3, 0), 3);
  const IoResult got = receive();
  EXPECT_EQ(got.status, Io::done);
  EXPECT_EQ(got.bytes, 3U);
}

TEST_F(RealSockets, SayZeroAtTheEndOfInput) {
  ASSERT_EQ(::shutdown(there.get(), SHUT_WR), 0);
  const IoResult got = receive();
  EXPECT_EQ(got.status, Io::done);
  EXPECT_EQ(got.bytes, 0U);
}

TEST_F(RealSockets, FailWhenThePeerIsGone) {
  there.reset();
  EXPECT_EQ(io_result(::send(here.get(), "abc", 3, MSG_NOSIGNAL)).status, Io::failed);
}

}  // namespace
