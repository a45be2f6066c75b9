#include "server/stop.hh"

#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>

#include "net/error.hh"

namespace server {
namespace {

// The signal flags. Everything a handler touches is an atomic without a lock (signal-safety(7)).
std::atomic<bool> stop_requested{false};
std::atomic<bool> is_child{false};
std::atomic<int> stop_descriptor{-1};
itimerval drain_timer{};

// Which descriptors a stop signal has to shut down, by number; none is as high as the end.
std::unique_ptr<std::atomic<bool>[]> sleepers;
std::atomic<int> sleepers_end{0};

// Makes the descriptor readable, once somebody has asked for it.
void announce() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t n = ::write(stop_descriptor, &one, sizeof one);
}

// Only calls that signal-safety(7) lists, and setitimer(2), which is a bare system call.
void on_stop(int) {
  const int saved = errno;
  if (stop_requested.exchange(true)) {
    if (!is_child) ::_exit(1);
  } else {
    announce();
    for (int fd = 0; fd < sleepers_end; ++fd)
      if (sleepers[static_cast<std::size_t>(fd)]) ::shutdown(fd, SHUT_RD);
    ::setitimer(ITIMER_REAL, &drain_timer, nullptr);
  }
  errno = saved;
}

void on_drain_timeout(int) {
  constexpr char words[] = "drain timeout: cutting off who is left\n";
  [[maybe_unused]] const ssize_t n = ::write(STDERR_FILENO, words, sizeof words - 1);
  ::_exit(0);
}

// Without SA_RESTART: a call that blocks comes back with EINTR.
void handle(int signal, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  if (::sigaction(signal, &action, nullptr) == -1) net::throw_errno("sigaction");
}

sigset_t blocked_signals() noexcept {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGCHLD}) ::sigaddset(&set, signal);
  return set;
}

}  // namespace

Stop::Stop(http::Duration drain_timeout) {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == -1) net::throw_errno("getrlimit");
  const auto most = static_cast<std::size_t>(std::min<rlim_t>(files.rlim_max, 1 << 20));
  sleepers = std::make_unique<std::atomic<bool>[]>(most);

  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(drain_timeout).count();
  drain_timer.it_value = {us / 1'000'000, us % 1'000'000};

  handle(SIGALRM, on_drain_timeout);
  handle(SIGTERM, on_stop);
  handle(SIGINT, on_stop);
  // Each send(2) says MSG_NOSIGNAL; this is for a log that nobody reads any more.
  handle(SIGPIPE, SIG_IGN);
}

bool Stop::requested() const noexcept { return stop_requested; }

int Stop::descriptor() const {
  if (stop_descriptor == -1) {
    stop_descriptor = net::checked(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd");
    if (stop_requested) announce();
  }
  return stop_descriptor;
}

void Stop::in_child() const noexcept {
  is_child = true;
  const int parents = stop_descriptor.exchange(-1);
  if (parents != -1) ::close(parents);
  for (int fd = 0; fd < sleepers_end; ++fd) {
    auto& asleep = sleepers[static_cast<std::size_t>(fd)];
    if (asleep) asleep = false;  // writing only where needed: every page touched is a page copied
  }
  const sigset_t set = blocked_signals();
  ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

// First the mark, then the question: whoever is not seen by the handler sees that it has run.
Stop::Wake::Wake(int fd) noexcept : fd_(fd) {
  int end = sleepers_end;
  while (end <= fd_ && !sleepers_end.compare_exchange_weak(end, fd_ + 1)) {
  }
  sleepers[static_cast<std::size_t>(fd_)] = true;
  if (stop_requested) ::shutdown(fd_, SHUT_RD);
}

Stop::Wake::~Wake() { sleepers[static_cast<std::size_t>(fd_)] = false; }

Stop::Blocked::Blocked() noexcept {
  const sigset_t set = blocked_signals();
  ::pthread_sigmask(SIG_BLOCK, &set, &before_);
}

Stop::Blocked::~Blocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

// sigsuspend(2) swaps the mask and goes to sleep in one step: no signal can slip in between.
void Stop::Blocked::sleep() noexcept { ::sigsuspend(&before_); }

}  // namespace server
