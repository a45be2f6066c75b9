// 07-epoll-et: edges instead of levels, drained with a budget.
//
// Edge-triggered epoll reports that something has happened, once; what we leave undone is not
// reported again. So interest never changes, epoll_ctl(2) is called once in a connection's life,
// and we keep the books: a socket stays readable until recv(2) has said that there is no more, and
// writable until send(2) has. Draining whoever is ready to the end would let one busy client
// starve the others, so everybody has a budget, and whom it cuts off waits in a ready list for the
// next round. No edge is lost, because the books are asked and not epoll.

#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <vector>

#include "net/error.hh"
#include "net/fd.hh"
#include "net/io_result.hh"
#include "server/run.hh"
#include "server/slots.hh"
#include "server/timers.hh"

namespace {

using http::Want;
using Id = std::uint64_t;  // what epoll gives back with an event: slot and generation
using Timers = server::Timers<Id>;

constexpr int accept_budget = 64;  // clients taken in a row, before those we have get their turn
constexpr int io_budget = 8;       // calls of recv(2) and send(2) in a row for one client
constexpr auto accept_again = std::chrono::milliseconds(250);

struct Connection {
  net::Fd socket;
  http::Session session;
  Timers::Alarm alarm = Timers::none;
  bool readable = false;  // recv(2) has not said, since the last edge, that there is no more
  bool writable = false;  // likewise send(2)
  bool special = false;   // a short read would prove nothing: there is an end, or urgent data
  bool listed = false;    // it is in the ready list

  [[nodiscard]] bool can_move() const {
    const Want want = session.want();
    return (want == Want::read && readable) || (want == Want::write && writable);
  }
};

class Server {
 public:
  explicit Server(const server::Context& context) : context_(context) {
    //@lab 07 register the listener, for edges, and the stop descriptor
    control(EPOLL_CTL_ADD, context_.listener.get(), EPOLLIN | EPOLLET, listener_id);
    control(EPOLL_CTL_ADD, context_.stop.descriptor(), EPOLLIN, stop_id);
    //| lab::not_implemented("lab 07: Server()",
    //|                      "as in stages/06-epoll-lt/server.cc, but the listener reports edges");
    //@end
  }

  void run() {
    std::array<epoll_event, 512> events;
    while (!draining_ || clients_.size() > 0) {
      //@lab 07 sleep in epoll_wait(2) if nobody is ready, enter the news, give everybody a turn
      const int sleep_ms = ready_.empty() ? timers_.sleep_ms(now_) : 0;
      const int n = ::epoll_wait(epoll_.get(), events.data(), events.size(), sleep_ms);
      if (n == -1 && errno != EINTR) net::throw_errno("epoll_wait");
      now_ = http::Clock::now();
      for (std::size_t i = 0; n > 0 && i < static_cast<std::size_t>(n); ++i)
        on_event(events[i].data.u64, events[i].events);
      on_ready();
      on_alarms();
      //| lab::not_implemented("lab 07: run()",
      //|                      "as in stages/06-epoll-lt/server.cc, but may it sleep while "
      //|                      "somebody is in ready_?", events);
      //@end
    }
  }

 private:
  static constexpr Id listener_id = UINT64_MAX;
  static constexpr Id stop_id = UINT64_MAX - 1;

  // Enters the news into the books. Nothing is done about it before all of it is in.
  void on_event(Id id, std::uint32_t events) {
    //@lab 07 enter what has happened, and put whom it happened to into the ready list
    if (id == listener_id) return ready_.push_back(id);
    if (id == stop_id) return drain();
    Connection* client = clients_.find(id);
    if (client == nullptr) return;  // it was closed earlier in this batch

    const bool broken = (events & (EPOLLERR | EPOLLHUP)) != 0;
    client->special |= broken || (events & (EPOLLRDHUP | EPOLLPRI)) != 0;
    client->readable |= client->special || (events & EPOLLIN) != 0;
    client->writable |= broken || (events & EPOLLOUT) != 0;
    if (broken && client->session.want() == Want::wait) client->session.lost();
    list(id, *client);
    //| lab::not_implemented("lab 07: on_event()",
    //|                      "no recv(2) and no accept4(2) here: an edge only changes readable, "
    //|                      "writable and special", id, events, listener_id, stop_id);
    //@end
  }

  // One round through the ready list; who is not done then is in the next one.
  void on_ready() {
    //@lab 07 give everybody in the ready list one turn
    round_.swap(ready_);
    for (const Id id : round_) {
      if (id == listener_id) accept_clients();
      if (Connection* client = clients_.find(id)) {
        client->listed = false;
        advance(id, *client);
      }
    }
    round_.clear();
    //| lab::not_implemented("lab 07: on_ready()",
    //|                      "those who are not done list themselves again meanwhile: so walk "
    //|                      "through round_, not through ready_");
    //@end
  }

  void accept_clients() {
    //@lab 07 accept within the budget, and register each client for all edges
    for (int i = 0; i < accept_budget && !draining_; ++i) {
      if (clients_.size() >= context_.max_connections()) return pause_accepting();
      net::Fd socket(
          ::accept4(context_.listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (!socket.is_open()) {
        const net::AcceptError error = net::accept_error(errno);
        if (error == net::AcceptError::this_connection) continue;
        if (error == net::AcceptError::none_waiting) return;
        if (error == net::AcceptError::no_resources) return pause_accepting();
        net::throw_errno("accept4");
      }
      context_.service.shared().connection_opened();
      const Id id = clients_.insert({std::move(socket), context_.new_session(now_)});
      Connection& client = clients_.at(id);
      const std::uint32_t edges = EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP | EPOLLET;
      if (!control(EPOLL_CTL_ADD, client.socket.get(), edges, id)) client.session.lost();
      advance(id, client);
    }
    if (!draining_) ready_.push_back(listener_id);  // the budget is spent, the queue may not be
    //| lab::not_implemented("lab 07: accept_clients()",
    //|                      "start from yours in stages/06-epoll-lt/server.cc; what if the "
    //|                      "budget ends before the queue does?", accept_budget, context_);
    //@end
  }

  // Out of descriptors, or full: the edge is used up, and who waits is not reported again. We look
  // again when a client leaves, or soon, in case it was another process that ran out.
  void pause_accepting() { timers_.set(listener_id, accept_alarm_, now_ + accept_again); }

  void resume_accepting() {
    timers_.cancel(listener_id, accept_alarm_);
    //@lab 07 look again, though no edge came
    if (!draining_) ready_.push_back(listener_id);
    //| lab::not_implemented("lab 07: resume_accepting()",
    //|                      "nobody will report those who wait: who gives the listener its turn?");
    //@end
  }

  // Reads once, and enters whether there may be more.
  void on_readable(Connection& client) {
    //@lab 07 give the session what has come, and keep the book
    // A stream that gives less than there is room for is empty (epoll(7)): the call that would say
    // EAGAIN is saved. Not so at the end of input, which takes a recv(2) of its own, and at urgent
    // data, before which recv(2) stops.
    const auto got = net::io_result(::recv(client.socket.get(), buffer_.data(), buffer_.size(), 0));
    if (got.status == net::Io::failed) client.session.lost();
    if (got.status == net::Io::done && got.bytes == 0) client.session.peer_closed();
    if (got.bytes > 0) client.session.received({buffer_.data(), got.bytes}, now_);
    const bool may_be_more = client.special ? got.bytes > 0 : got.bytes == buffer_.size();
    client.readable = may_be_more || got.status == net::Io::interrupted;
    //| lab::not_implemented("lab 07: on_readable()",
    //|                      "lab 06's, and then client.readable: when has recv(2) said that "
    //|                      "there is no more?", client, buffer_);
    //@end
  }

  // Sends once, and enters whether the socket may take more.
  void on_writable(Connection& client) {
    //@lab 07 send what the socket takes, and keep the book
    const auto bytes = client.session.pending();
    const auto put =
        net::io_result(::send(client.socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL));
    if (put.status == net::Io::failed) client.session.lost();
    const bool all = put.bytes == bytes.size();
    if (put.bytes > 0) client.session.sent(put.bytes, now_);
    client.writable = all || put.status == net::Io::interrupted;
    //| lab::not_implemented("lab 07: on_writable()",
    //|                      "lab 06's, and then client.writable instead of a returned bool",
    //|                      client);
    //@end
  }

  // Answers what has come in and moves bytes in and out, until the socket gives and takes no more
  // or the budget is spent.
  void advance(Id id, Connection& client) {
    //@lab 07 answer and move bytes within the budget, then see what the client needs next
    context_.answer(client.session);
    for (int i = 0; i < io_budget && client.can_move(); ++i) {
      client.session.want() == Want::read ? on_readable(client) : on_writable(client);
      context_.answer(client.session);
    }
    if (client.session.want() == Want::half_close) {
      ::shutdown(client.socket.get(), SHUT_WR);
      client.session.half_closed(now_);
    }
    if (client.session.want() == Want::close) return close_connection(id);
    if (client.can_move()) list(id, client);
    timers_.set(id, client.alarm, client.session.deadline());
    //| lab::not_implemented("lab 07: advance()",
    //|                      "lab 06's, but it reads as well, as long as client.can_move(); whom "
    //|                      "the budget cuts off has to come back", id, client, io_budget);
    //@end
  }

  // Whoever is listed gets another turn, without any news from epoll.
  void list(Id id, Connection& client) {
    //@lab 07 into the ready list, once
    if (!client.listed) ready_.push_back(id);
    client.listed = true;
    //| lab::not_implemented("lab 07: list()",
    //|                      "nobody may be in the list twice: client.listed remembers",
    //|                      id, client);
    //@end
  }

  void close_connection(Id id) {
    //@lab 07 forget the client, and look whether another one can come in
    timers_.cancel(id, clients_.at(id).alarm);
    clients_.erase(id);  // closing the descriptor takes it out of epoll, too
    context_.service.shared().connections_closed();
    if (accept_alarm_ != Timers::none) resume_accepting();
    //| lab::not_implemented("lab 07: close_connection()",
    //|                      "nothing changes here: copy yours from stages/06-epoll-lt/server.cc",
    //|                      id);
    //@end
  }

  void on_alarms() {
    while (const auto id = timers_.ring(now_)) {
      if (*id == listener_id) {
        accept_alarm_ = Timers::none;
        resume_accepting();
      } else {
        Connection& client = clients_.at(*id);
        client.alarm = Timers::none;
        client.session.tick(now_);
        advance(*id, client);
      }
    }
  }

  // Stops accepting, and lets everybody finish what has begun: whoever has already sent a request
  // gets a reply, the idle ones are closed.
  void drain() {
    //@lab 07 accept for the last time, then stop, and let everybody finish
    accept_clients();
    draining_ = true;
    context_.listener.close();
    control(EPOLL_CTL_DEL, context_.stop.descriptor(), 0, stop_id);
    for (const Id id : clients_.ids()) {
      Connection& client = clients_.at(id);
      if (client.session.want() == Want::read) on_readable(client);
      client.session.drain();
      advance(id, client);
    }
    //| lab::not_implemented("lab 07: drain()",
    //|                      "nothing changes here: copy yours from stages/06-epoll-lt/server.cc");
    //@end
  }

  // False when the kernel has no memory, or no place, to watch one descriptor more.
  bool control(int operation, int fd, std::uint32_t interest, Id id) {
    //@lab 07 one call of epoll_ctl(2), and what its errors mean
    epoll_event event{.events = interest, .data = {.u64 = id}};
    if (::epoll_ctl(epoll_.get(), operation, fd, &event) == 0) return true;
    if (errno != ENOMEM && errno != ENOSPC) net::throw_errno("epoll_ctl");
    return false;
    //| lab::not_implemented("lab 07: control()",
    //|                      "nothing changes here: copy yours from stages/06-epoll-lt/server.cc",
    //|                      operation, fd, interest, id);
    //@end
  }

  const server::Context& context_;
  const net::Fd epoll_{net::checked(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")};
  server::Slots<Connection> clients_;
  Timers timers_;
  Timers::Alarm accept_alarm_ = Timers::none;  // set while accepting is paused
  std::vector<Id> ready_;
  std::vector<Id> round_;  // the part of it that has its turn
  bool draining_ = false;
  http::Time now_ = http::Clock::now();
  std::array<char, 16 * 1024> buffer_;
};

}  // namespace

int main(int argc, char** argv) {
  const server::Stage stage{.name = "07-epoll-et",
                            .idea = "edges instead of levels: drain, but with a budget",
                            .connections = server::descriptors_for_clients()};
  return server::run(argc, argv, stage, net::Listener::Mode::nonblocking,
                     [](server::Context& context) { Server(context).run(); });
}
