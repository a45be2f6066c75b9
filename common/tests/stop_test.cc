// There is one Stop in a process, so each test has a process of its own, which says on standard
// output what it sees.

#include "server/stop.hh"

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <iostream>

#include "child.hh"

namespace {

using server::Stop;
using namespace std::chrono_literals;

constexpr auto enough = 10s;

bool readable(int fd) {
  pollfd waiting{fd, POLLIN, 0};
  return ::poll(&waiting, 1, 0) == 1;
}

// "requested" and "readable", as far as true.
std::string seen(const Stop& stop) {
  return std::string(stop.requested() ? "requested " : "") +
         (readable(stop.descriptor()) ? "readable " : "");
}

std::array<net::Fd, 2> make_sockets() {
  std::array<int, 2> ends{};
  net::checked(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()), "socketpair");
  return {net::Fd(ends[0]), net::Fd(ends[1])};
}

TEST(Stop, IsRequestedByEitherSignal) {
  for (const int signal : {SIGTERM, SIGINT}) {
    const auto outcome = tests::in_child([signal] {
      const Stop stop(enough);
      std::cout << "before: " << seen(stop);
      ::raise(signal);
      std::cout << "after: " << seen(stop);
    });
    EXPECT_EQ(outcome.out, "before: after: requested readable ");
    EXPECT_EQ(outcome.exit_status(), 0);
  }
}

TEST(Stop, EndsTheServerAtOnceWhenItIsRequestedTwice) {
  const auto outcome = tests::in_child([] {
    const Stop stop(enough);
    ::raise(SIGTERM);
    ::raise(SIGINT);
    ::write(STDOUT_FILENO, "still here", 10);
  });
  EXPECT_EQ(outcome.out, "");
  EXPECT_EQ(outcome.exit_status(), 1);
}

TEST(Stop, CutsOffWhoIsLeftAfterTheDrainTimeout) {
  const auto outcome = tests::in_child([] {
    const Stop stop(20ms);
    ::raise(SIGTERM);
    for (;;) ::pause();
  });
  EXPECT_EQ(outcome.exit_status(), 0);
  EXPECT_EQ(outcome.err, "drain timeout: cutting off who is left\n");
}

TEST(Stop, InterruptsACallThatBlocks) {
  const auto outcome = tests::in_child([] {
    const Stop stop(enough);
    for (const int signal : {SIGTERM, SIGINT}) {
      struct sigaction action {};
      ::sigaction(signal, nullptr, &action);
      std::cout << ((action.sa_flags & SA_RESTART) == 0 ? "EINTR " : "restart ");
    }
  });
  EXPECT_EQ(outcome.out, "EINTR EINTR ");
}

TEST(Stop, LetsNoBrokenPipeEndTheServer) {
  const auto outcome = tests::in_child([] {
    const Stop stop(enough);
    auto ends = tests::make_pipe();
    ends[0].reset();
    const ssize_t n = ::write(ends[1].get(), "x", 1);
    std::cout << (n == -1 && errno == EPIPE ? "EPIPE" : "?");
  });
  EXPECT_EQ(outcome.out, "EPIPE");
}

TEST(Wake, LetsASleeperHearOfAStop) {
  const auto outcome = tests::in_child([] {
    const Stop stop(enough);
    auto sockets = make_sockets();
    char c = '?';
    {
      const Stop::Wake wake(sockets[0].get());
      ::raise(SIGTERM);
      std::cout << ::recv(sockets[0].get(), &c, 1, 0) << " ";
    }
    // Only reading is over: what is under way can be sent.
    std::cout << ::send(sockets[0].get(), "x", 1, MSG_NOSIGNAL);
  });
  EXPECT_EQ(outcome.out, "0 1");
}

TEST(Wake, HearsOfAStopThatCameBeforeIt) {
  const auto outcome = tests::in_child([] {
    const Stop stop(enough);
    auto sockets = make_sockets();
    ::raise(SIGTERM);
    const Stop::Wake wake(sockets[0].get());
    char c = '?';
    std::cout << ::recv(sockets[0].get(), &c, 1, 0);
  });
  EXPECT_EQ(outcome.out, "0");
}

TEST(Wake, StillGivesWhatHadComeBeforeTheStop) {
  const auto outcome = tests::in_child([] {
    const Stop stop(enough);
    auto sockets = make_sockets();
    ::send(sockets[1].get(), "x", 1, 0);
    const Stop::Wake wake(sockets[0].get());
    ::raise(SIGTERM);
    char c = '?';
    std::cout << ::recv(sockets[0].get(), &c, 1, 0) << c << ::recv(sockets[0].get(), &c, 1, 0);
  });
  EXPECT_EQ(outcome.out, "1x0");
}

TEST(Wake, LeavesADescriptorAloneWhenItHasGone) {
  const auto outcome = tests::in_child([] {
    const Stop stop(enough);
    auto sockets = make_sockets();
    { const Stop::Wake wake(sockets[0].get()); }
    ::raise(SIGTERM);
    char c = '?';
    std::cout << ::recv(sockets[0].get(), &c, 1, MSG_DONTWAIT);
  });
  EXPECT_EQ(outcome.out, "-1");
}

TEST(Blocked, HoldsASignalBackUntilItsEnd) {
  const auto outcome = tests::in_child([] {
    const Stop stop(enough);
    {
      const Stop::Blocked blocked;
      ::raise(SIGTERM);
      std::cout << "blocked: " << seen(stop);
    }
    std::cout << "released: " << seen(stop);
  });
  EXPECT_EQ(outcome.out, "blocked: released: requested readable ");
}

TEST(Blocked, SleepsUntilASignalHasCome) {
  const auto outcome = tests::in_child([] {
    const Stop stop(enough);
    Stop::Blocked blocked;
    ::raise(SIGTERM);  // it is pending, and must not be slept through
    blocked.sleep();
    std::cout << seen(stop);
  });
  EXPECT_EQ(outcome.out, "requested readable ");
}

// Runs `body` in a child process of a server, forked as a server should.
template <typename Body>
void as_child(const Stop& stop, Body body) {
  const Stop::Blocked blocked;
  const pid_t pid = net::checked(::fork(), "fork");
  if (pid == 0) {
    stop.in_child();
    body();
    std::cout.flush();
    ::_exit(0);
  }
  int status = 0;
  net::checked(::waitpid(pid, &status, 0), "waitpid");
  std::cout << "exit " << WEXITSTATUS(status) << " ";
}

TEST(InChild, AStopIsTheChildsOwn) {
  const auto outcome = tests::in_child([] {
    const Stop stop(enough);
    as_child(stop, [&] {
      ::raise(SIGTERM);
      std::cout << "child: " << seen(stop);
    });
    std::cout << "parent: " << seen(stop);
  });
  EXPECT_EQ(outcome.out, "child: requested readable exit 0 parent: ");
}

TEST(InChild, AStopMayBeRequestedTwice) {
  const auto outcome = tests::in_child([] {
    const Stop stop(enough);
    as_child(stop, [] {
      ::raise(SIGTERM);
      ::raise(SIGINT);
      std::cout << "still here, ";
    });
  });
  EXPECT_EQ(outcome.out, "still here, exit 0 ");
}

TEST(InChild, TheParentsSleepersAreNotTheChilds) {
  const auto outcome = tests::in_child([] {
    const Stop stop(enough);
    auto sockets = make_sockets();
    const Stop::Wake wake(sockets[0].get());
    as_child(stop, [] { ::raise(SIGTERM); });
    char c = '?';
    std::cout << ::recv(sockets[0].get(), &c, 1, MSG_DONTWAIT);
  });
  EXPECT_EQ(outcome.out, "exit 0 -1") << "the parent's client was not shut down";
}

}  // namespace
