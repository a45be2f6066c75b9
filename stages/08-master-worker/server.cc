// 08-master-worker: a master accepts, and hands the connections to worker processes.
//
// One thread uses one core, however well it waits. Here the master does nothing but accept(2) and
// pass the descriptor of each connection to the least busy worker, over a UNIX socket (SCM_RIGHTS).
// The workers have been there before, each with an epoll loop of its own (worker.cc). They share
// nothing with each other: one that dies takes its own clients along and is replaced. The master
// talks to no client, so nothing that a client sends can hurt it.
//
// channel.cc passes descriptors, crew.cc starts and replaces workers.

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <vector>

#include "crew.hh"
#include "net/error.hh"
#include "net/fd.hh"
#include "server/converse.hh"
#include "server/run.hh"
#include "server/timers.hh"
#include "worker.hh"

namespace {

constexpr int accept_batch = 64;  // clients taken in a row, before the workers get their turn
constexpr auto accept_again = std::chrono::milliseconds(50);
constexpr auto try_again = std::chrono::milliseconds(10);  // when no worker could take the client

class Master {
 public:
  explicit Master(server::Context& context)
      : context_(context),
        crew_(context.options.workers, context.service.shared(),
              [this](net::Fd channel, std::atomic<int>& load) { work(std::move(channel), load); }) {
  }

  void run() {
    while (!draining_ || !crew_.is_empty()) {
      if (!draining_) crew_.start_due(now_);
      if (in_hand_.is_open() && crew_.hand_over(in_hand_)) in_hand_.reset();
      wait();
    }
  }

 private:
  // In a worker: it must not keep the port, nor hold a client that it does not serve, lest that
  // client never sees the end of its connection.
  void work(net::Fd channel, std::atomic<int>& load) {
    context_.listener.close();
    in_hand_.reset();
    context_.stop.in_child();
    run_worker(context_, std::move(channel), load);
  }

  // For the stop signal, a client, or the end of a worker. poll(2) passes over rows whose
  // descriptor is -1.
  void wait() {
    const bool accepts = !draining_ && !in_hand_.is_open() && accept_from_ <= now_;
    std::vector<pollfd> table;
    const auto ask = [&table](bool really, int fd) {
      table.push_back({.fd = really ? fd : -1, .events = POLLIN, .revents = 0});
    };
    ask(!draining_, context_.stop.descriptor());
    ask(accepts, context_.listener.get());
    for (const Worker& worker : crew_.workers()) ask(true, worker.process.get());

    http::Time due = draining_ ? http::Time::max() : crew_.next_start();
    if (!draining_ && accept_from_ > now_) due = std::min(due, accept_from_);
    if (in_hand_.is_open()) due = std::min(due, now_ + try_again);
    if (::poll(table.data(), table.size(), server::milliseconds_until(due, now_)) == -1) {
      if (errno != EINTR) net::throw_errno("poll");
      return;
    }
    now_ = http::Clock::now();
    for (std::size_t i = 0; i < crew_.workers().size(); ++i)
      if (table[2 + i].revents != 0) crew_.bury(crew_.workers()[i], now_);
    if (table[1].revents != 0) accept_clients();
    if (table[0].revents != 0) drain();
  }

  void accept_clients() {
    for (int i = 0; i < accept_batch && !in_hand_.is_open(); ++i) {
      if (crew_.load() >= context_.options.max_connections) return pause_accepting();
      in_hand_.reset(
          ::accept4(context_.listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (!in_hand_.is_open()) {
        const net::AcceptError error = net::accept_error(errno);
        if (error == net::AcceptError::this_connection) continue;
        if (error == net::AcceptError::none_waiting) return;
        if (error == net::AcceptError::no_resources) return pause_accepting();
        net::throw_errno("accept4");
      }
      context_.service.shared().connection_opened();
      // Our copy is closed when the worker has the descriptor for certain, and not a moment later:
      // as long as we hold it, the client does not see the worker close.
      if (crew_.hand_over(in_hand_)) in_hand_.reset();
    }
  }

  // Out of descriptors, or full; when a client leaves, it is a worker that notices and not we.
  void pause_accepting() { accept_from_ = now_ + accept_again; }

  // Stops accepting; the workers finish what has begun.
  void drain() {
    accept_clients();
    draining_ = true;
    context_.listener.close();
    if (in_hand_.is_open()) {
      server::turn_away(in_hand_, context_);
      in_hand_.reset();
      context_.service.shared().connections_closed();
    }
    crew_.say_end();
  }

  server::Context& context_;
  Crew crew_;
  net::Fd in_hand_;  // a client that nobody has taken yet
  http::Time accept_from_{};
  bool draining_ = false;
  http::Time now_ = http::Clock::now();
};

}  // namespace

int main(int argc, char** argv) {
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  const server::Stage stage{.name = "08-master-worker",
                            .idea = "a master accepts and passes descriptors to worker processes",
                            .workers = std::clamp(cores, 2, Crew::most),
                            .connections = 1'000'000};
  return server::run(argc, argv, stage, net::Listener::Mode::nonblocking,
                     [](server::Context& context) { Master(context).run(); });
}
