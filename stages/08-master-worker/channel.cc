#include "channel.hh"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "net/error.hh"

namespace channel {
namespace {

// A message: one byte, because descriptors do not travel without data, and room for one
// descriptor, aligned as cmsg(3) wants it.
struct Message {
  char byte = 'c';
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  iovec data{&byte, 1};
  msghdr header{};

  // Tells `header` where everything is.
  Message() {
    //@lab 08 point the header at the byte, and at the control buffer
    header.msg_iov = &data;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    //| lab::not_implemented("lab 08: Message()",
    //|                      "recvmsg(2) shows a msghdr: which four of its members are for us?");
    //@end
  }
  ~Message() = default;
  Message(const Message&) = delete;
  Message& operator=(const Message&) = delete;
};

}  // namespace

Ends open() {
  //@lab 08 make the two ends
  std::array<int, 2> ends{};
  const int kind = SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC;
  net::checked(::socketpair(AF_UNIX, kind, 0, ends.data()), "socketpair");
  return {net::Fd(ends[0]), net::Fd(ends[1])};
  //| lab::not_implemented("lab 08: channel::open()",
  //|                      "socketpair(2); channel.hh says which kind of socket, with which flags");
  //@end
}

Handed hand_over(const net::Fd& channel, const net::Fd& descriptor) {
  //@lab 08 send the descriptor, and say what became of it
  Message message;
  cmsghdr* rights = CMSG_FIRSTHDR(&message.header);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(sizeof(int));
  const int fd = descriptor.get();
  std::memcpy(CMSG_DATA(rights), &fd, sizeof fd);

  ssize_t n = -1;
  do n = ::sendmsg(channel.get(), &message.header, MSG_NOSIGNAL);
  while (n == -1 && errno == EINTR);
  if (n == 1) return Handed::over;
  const bool no_room =
      errno == EAGAIN || errno == ETOOMANYREFS || errno == ENOBUFS || errno == ENOMEM;
  return no_room ? Handed::full : Handed::dead;
  //| lab::not_implemented("lab 08: channel::hand_over()",
  //|                      "cmsg(3) has an example; then sendmsg(2): which errors mean what?",
  //|                      channel, descriptor);
  //@end
}

Received receive(const net::Fd& channel) {
  //@lab 08 receive one message, and trust nothing about it
  Message message;
  const ssize_t n = ::recvmsg(channel.get(), &message.header, MSG_CMSG_CLOEXEC);
  if (n == -1 && (errno == EAGAIN || errno == EINTR)) return {News::nothing, {}};
  if (n <= 0) return {News::end, {}};

  const cmsghdr* rights = CMSG_FIRSTHDR(&message.header);
  const bool carries_one = rights != nullptr && rights->cmsg_level == SOL_SOCKET &&
                           rights->cmsg_type == SCM_RIGHTS &&
                           rights->cmsg_len == CMSG_LEN(sizeof(int));
  if (!carries_one || (message.header.msg_flags & MSG_CTRUNC) != 0) return {News::lost, {}};
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(rights), sizeof fd);
  return {News::descriptor, net::Fd(fd)};
  //| lab::not_implemented("lab 08: channel::receive()",
  //|                      "recvmsg(2): its value, msg_flags, and what came beside the byte",
  //|                      channel);
  //@end
}

}  // namespace channel
