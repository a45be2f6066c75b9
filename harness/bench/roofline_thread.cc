// The roofline of blocking servers: a thread for each connection that never parses. It counts blank
// lines and sends as many copies of one prebuilt reply, so it shows what the kernel alone charges
// for threads that wait; no server of this model that reads its requests can be cheaper. It is a
// measuring instrument and no model to copy: descriptors are plain integers and errors end the
// program or the connection without a word.
//
//   roofline_thread [--port N] [--reply FILE]
//
// FILE holds a whole reply, head and body (the benchmark records one from a server of the kit, so
// that both send the same bytes). A reply that says "Connection: close" is followed by close().
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

namespace {

constexpr std::string_view blank_line = "\r\n\r\n";
constexpr std::size_t carry_max = blank_line.size() - 1;
constexpr std::size_t copies = 64;             // replies that one send() can carry
constexpr std::size_t stack_size = 64 * 1024;  // of a thread; only what it touches costs memory
constexpr std::size_t buffer_size = 4 * 1024;

// What every thread sends; nobody changes it once there are threads.
std::string replies;  // `copies` of them
std::size_t reply_size = 0;
bool closes = false;

[[noreturn]] void fail(const char* call) {
  std::perror(call);
  std::exit(1);
}

bool send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

// One connection, from its first request to its end.
void serve(int fd) {
  std::array<char, buffer_size> buffer;  // not set to zero: that would touch all of it
  std::size_t carried = 0;               // bytes of a blank line that came in half
  while (true) {
    const ssize_t size = recv(fd, buffer.data() + carried, buffer.size() - carried, 0);
    if (size <= 0) return;
    std::string_view input(buffer.data(), carried + static_cast<std::size_t>(size));
    std::size_t asked = 0;
    for (auto end = input.find(blank_line); end != input.npos; end = input.find(blank_line)) {
      input.remove_prefix(end + blank_line.size());
      ++asked;
    }
    input.remove_prefix(input.size() - std::min(input.size(), carry_max));
    carried = input.size();
    std::copy(input.begin(), input.end(), buffer.begin());
    const bool last = asked > 0 && closes;
    while (asked > 0) {
      const std::size_t now = std::min(asked, copies);
      if (!send_all(fd, {replies.data(), now * reply_size})) return;
      asked -= now;
    }
    if (last) return;
  }
}

int listen_on(std::uint16_t port) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int yes = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const where = reinterpret_cast<sockaddr*>(&address);
  if (bind(listener, where, size) < 0) fail("bind");
  if (listen(listener, SOMAXCONN) < 0) fail("listen");
  if (getsockname(listener, where, &size) < 0) fail("getsockname");
  std::printf("listening on http://127.0.0.1:%d stage=roofline_thread pid=%d\n",
              int{ntohs(address.sin_port)}, getpid());
  std::fflush(stdout);
  return listener;
}

// A thread that runs `function` with a number, small and let go of. Returns whether there is one.
bool start(void* (*function)(void*), int number) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, stack_size);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_t thread{};
  void* const argument = reinterpret_cast<void*>(std::intptr_t{number});
  const int error = pthread_create(&thread, &attributes, function, argument);
  pthread_attr_destroy(&attributes);
  return error == 0;
}

int number_in(void* argument) {
  return static_cast<int>(reinterpret_cast<std::intptr_t>(argument));
}

void* serve_and_close(void* argument) {
  const int fd = number_in(argument);
  serve(fd);
  close(fd);
  return nullptr;
}

void* accept_all(void* argument) {
  const int listener = number_in(argument);
  while (true) {
    const int fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) continue;
    if (!start(serve_and_close, fd)) close(fd);
  }
}

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
  reply_size = reply.size();
  closes = reply.find("Connection: close") != std::string::npos;
  for (std::size_t i = 0; i < copies; ++i) replies += reply;

  // This thread only waits for the end; what it blocks, the others inherit.
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTERM);
  sigaddset(&stop, SIGINT);
  pthread_sigmask(SIG_BLOCK, &stop, nullptr);
  if (!start(accept_all, listen_on(port))) fail("pthread_create");
  int signal = 0;
  sigwait(&stop, &signal);
  _exit(0);
}
