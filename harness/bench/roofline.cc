// The roofline: an epoll server that never parses. It counts blank lines and sends as many copies
// of one prebuilt reply, so it shows what the kernel alone charges for a load; no server that reads
// its requests can be cheaper. It is a measuring instrument and no model to copy: descriptors are
// plain integers and errors end the program or the connection without a word.
//
//   roofline [--port N] [--reply FILE]
//
// FILE holds a whole reply, head and body (the benchmark records one from a server of the kit, so
// that both send the same bytes). A reply that says "Connection: close" is followed by close().
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr std::string_view blank_line = "\r\n\r\n";
constexpr std::size_t carry_max = blank_line.size() - 1;
constexpr std::size_t copies = 64;  // replies that one send() can carry

// What a connection still has to get, and the bytes of a blank line that came in half.
struct Connection {
  std::size_t owed = 0;      // bytes not yet sent
  std::size_t position = 0;  // where in the reply they begin
  std::size_t carried = 0;
  std::array<char, carry_max> carry{};
  bool blocked = false;  // waits for EPOLLOUT
};

[[noreturn]] void fail(const char* call) {
  std::perror(call);
  std::exit(1);
}

class Roofline {
 public:
  explicit Roofline(const std::string& reply)
      : reply_size_(reply.size()), closes_(reply.find("Connection: close") != std::string::npos) {
    for (std::size_t i = 0; i < copies; ++i) replies_ += reply;
    if (epoll_ < 0) fail("epoll_create1");
  }

  void listen_on(std::uint16_t port) {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int yes = 1;
    setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const where = reinterpret_cast<sockaddr*>(&address);
    if (bind(listener_, where, size) < 0) fail("bind");
    if (listen(listener_, SOMAXCONN) < 0) fail("listen");
    if (getsockname(listener_, where, &size) < 0) fail("getsockname");
    watch(EPOLL_CTL_ADD, listener_, EPOLLIN);
    std::printf("listening on http://127.0.0.1:%d stage=roofline pid=%d\n",
                int{ntohs(address.sin_port)}, getpid());
    std::fflush(stdout);
  }

  // Serves until SIGTERM or SIGINT, which arrive as one more readable descriptor.
  void run() {
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    sigprocmask(SIG_BLOCK, &stop, nullptr);
    const int stopped = signalfd(-1, &stop, SFD_CLOEXEC);
    watch(EPOLL_CTL_ADD, stopped, EPOLLIN);
    std::array<epoll_event, 512> events{};
    while (true) {
      const int ready = epoll_wait(epoll_, events.data(), int{events.size()}, -1);
      for (int i = 0; i < ready; ++i) {
        const int fd = events[static_cast<std::size_t>(i)].data.fd;
        if (fd == stopped) return;
        if (fd == listener_) {
          accept_up_to(std::max(1, ready - 1));
        } else if (connections_[static_cast<std::size_t>(fd)].blocked) {
          send_owed(fd);
        } else {
          receive(fd);
        }
      }
    }
  }

 private:
  void watch(int operation, int fd, std::uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.fd = fd;
    if (epoll_ctl(epoll_, operation, fd, &event) < 0) fail("epoll_ctl");
  }

  // As many as others are busy: an accept4() in vain is not free, the kernel makes the new file
  // before it looks for a connection.
  void accept_up_to(int limit) {
    for (int i = 0; i < limit; ++i) {
      const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) return;
      const auto slot = static_cast<std::size_t>(fd);
      if (slot >= connections_.size()) connections_.resize(2 * slot);
      connections_[slot] = {};
      watch(EPOLL_CTL_ADD, fd, EPOLLIN);
    }
  }

  void receive(int fd) {
    Connection& connection = connections_[static_cast<std::size_t>(fd)];
    std::copy_n(connection.carry.begin(), connection.carried, buffer_.begin());
    const ssize_t size =
        recv(fd, buffer_.data() + connection.carried, buffer_.size() - connection.carried, 0);
    if (size < 0 && errno == EAGAIN) return;
    if (size <= 0) {
      close(fd);
      return;
    }
    std::string_view input(buffer_.data(), connection.carried + static_cast<std::size_t>(size));
    for (auto end = input.find(blank_line); end != input.npos; end = input.find(blank_line)) {
      input.remove_prefix(end + blank_line.size());
      connection.owed += reply_size_;
    }
    input.remove_prefix(input.size() - std::min(input.size(), carry_max));
    connection.carried = input.copy(connection.carry.data(), carry_max);
    send_owed(fd);
  }

  void send_owed(int fd) {
    Connection& connection = connections_[static_cast<std::size_t>(fd)];
    if (connection.owed == 0) return;
    while (connection.owed > 0) {
      const auto size = std::min(connection.owed, replies_.size() - connection.position);
      const ssize_t sent = send(fd, replies_.data() + connection.position, size, MSG_NOSIGNAL);
      if (sent < 0 && errno == EAGAIN) return wait_for_room(fd, true);
      if (sent < 0) {
        close(fd);
        return;
      }
      connection.owed -= static_cast<std::size_t>(sent);
      connection.position = (connection.position + static_cast<std::size_t>(sent)) % reply_size_;
    }
    if (closes_) {
      close(fd);
    } else {
      wait_for_room(fd, false);
    }
  }

  void wait_for_room(int fd, bool blocked) {
    Connection& connection = connections_[static_cast<std::size_t>(fd)];
    if (connection.blocked == blocked) return;
    connection.blocked = blocked;
    watch(EPOLL_CTL_MOD, fd, blocked ? EPOLLOUT : EPOLLIN);
  }

  std::string replies_;
  std::size_t reply_size_;
  bool closes_;
  int epoll_ = epoll_create1(EPOLL_CLOEXEC);
  int listener_ = -1;
  std::vector<Connection> connections_ = std::vector<Connection>(1024);
  std::array<char, 64 * 1024> buffer_{};
};

}  // namespace

int main(int argc, char** argv) {
  std::uint16_t port = 0;
  std::string reply =
      "HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Type: text/plain\r\n"
      "Content-Length: 13\r\n\r\nHello, World!";
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view option = argv[i];
    if (option == "--port") port = static_cast<std::uint16_t>(std::atoi(argv[i + 1]));
    if (option == "--reply") {
      std::ifstream file(argv[i + 1], std::ios::binary);
      reply.assign(std::istreambuf_iterator<char>(file), {});
    }
  }
  if (reply.empty()) fail("--reply");
  static Roofline roofline(reply);
  roofline.listen_on(port);
  roofline.run();
}
