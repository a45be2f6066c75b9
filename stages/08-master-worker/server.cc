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
  // In a worker, right after the fork.
  void work(net::Fd channel, std::atomic<int>& load) {
    //@lab 08 let go of what is the master's; then run_worker() with what is the worker's
    // It must not keep the port, nor hold a client that it does not serve, lest that client never
    // sees the end of its connection.
    context_.listener.close();
    in_hand_.reset();
    context_.stop.in_child();
    run_worker(context_, std::move(channel), load);
    //| lab::not_implemented("lab 08: Master::work()",
    //|                      "whose are the listener, the client in hand, the stop signal?",
    //|                      channel, load, context_);
    //@end
  }

  // For the stop signal (row 0), a client (row 1), or the end of a worker (from row 2 on, in the
  // crew's order). poll(2) passes over rows whose descriptor is -1.
  void wait() {
    std::vector<pollfd> table;
    //@lab 08 fill the table; a row that must not wake us now gets the descriptor -1
    const bool accepts = !draining_ && !in_hand_.is_open() && accept_from_ <= now_;
    const auto ask = [&table](bool really, int fd) {
      table.push_back({.fd = really ? fd : -1, .events = POLLIN, .revents = 0});
    };
    ask(!draining_, context_.stop.descriptor());
    ask(accepts, context_.listener.get());
    for (const Worker& worker : crew_.workers()) ask(true, worker.process.get());
    //| lab::not_implemented("lab 08: Master::wait()",
    //|                      "when is the listener's row -1? A pidfd is readable at the end");
    //@end

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

  // Accepts, a batch at most, and hands over. A client that nobody takes stays in hand, and then
  // nobody else is accepted: run() tries again.
  void accept_clients() {
    //@lab 08 accept as in lab 06, and give each client to the crew
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
    //| lab::not_implemented("lab 08: accept_clients()",
    //|                      "into in_hand_, then crew_.hand_over(); when may our copy be closed?",
    //|                      accept_batch);
    //@end
  }

  // Out of descriptors, or full; when a client leaves, it is a worker that notices and not we.
  void pause_accepting() { accept_from_ = now_ + accept_again; }

  // Stops accepting; the workers finish what has begun.
  void drain() {
    //@lab 08 nobody new; tell the crew, and give up whom nobody took
    accept_clients();
    draining_ = true;
    context_.listener.close();
    if (in_hand_.is_open()) {
      server::turn_away(in_hand_, context_);
      in_hand_.reset();
      context_.service.shared().connections_closed();
    }
    crew_.say_end();
    //| lab::not_implemented("lab 08: Master::drain()",
    //|                      "run() goes on until the crew is gone: what is to be done before?");
    //@end
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
