// 06-epoll-lt: interest is registered once, and the kernel hands over what is ready.
//
// select and poll bring the whole list of descriptors to the kernel with every call, and search
// the whole list afterwards. epoll keeps the list in the kernel: epoll_ctl(2) changes it,
// epoll_wait(2) returns the ready ones and nothing else, and ten thousand idle clients cost
// nothing. Level-triggered means: a descriptor is reported as long as there is something to do,
// so nothing is lost when we do only a part of it.

#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <cstdint>

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

constexpr int accept_batch = 64;  // clients taken in a row, before those we have get their turn
constexpr int send_batch = 4;     // pieces of 64 KiB sent in a row to one client
constexpr auto accept_again = std::chrono::milliseconds(250);

struct Connection {
  net::Fd socket;
  http::Session session;
  Timers::Alarm alarm = Timers::none;
  std::uint32_t interest = EPOLLIN;  // what epoll reports of it
};

class Server {
 public:
  explicit Server(const server::Context& context) : context_(context) {
    //@lab 06 register the listener and the stop descriptor, under their ids
    control(EPOLL_CTL_ADD, context_.listener.get(), EPOLLIN, listener_id);
    control(EPOLL_CTL_ADD, context_.stop.descriptor(), EPOLLIN, stop_id);
    //| lab::not_implemented("lab 06: Server()",
    //|                      "who is to wake the server while it has no client? Register both, "
    //|                      "with control()");
    //@end
  }

  void run() {
    std::array<epoll_event, 512> events;
    while (!draining_ || clients_.size() > 0) {
      //@lab 06 sleep in epoll_wait(2), give each event to on_event(), then look at the alarms
      const int n =
          ::epoll_wait(epoll_.get(), events.data(), events.size(), timers_.sleep_ms(now_));
      if (n == -1 && errno != EINTR) net::throw_errno("epoll_wait");
      now_ = http::Clock::now();
      for (std::size_t i = 0; n > 0 && i < static_cast<std::size_t>(n); ++i)
        on_event(events[i].data.u64, events[i].events);
      on_alarms();
      //| lab::not_implemented("lab 06: run()",
      //|                      "one epoll_wait(2); how long may it sleep, and how many of events "
      //|                      "are filled then?", events);
      //@end
    }
  }

 private:
  static constexpr Id listener_id = UINT64_MAX;
  static constexpr Id stop_id = UINT64_MAX - 1;

  void on_event(Id id, std::uint32_t events) {
    //@lab 06 find whom the event is about, read if bytes are wanted, and take that one further
    if (id == listener_id) return accept_clients();
    if (id == stop_id) return drain();
    Connection* client = clients_.find(id);
    if (client == nullptr) return;  // it was closed earlier in this batch

    const Want want = client->session.want();
    if (want == Want::read) on_readable(*client);
    // EPOLLERR and EPOLLHUP are reported unasked. recv and send would say what is wrong; a client
    // from whom we want neither has to be let go here, or it wakes us for ever.
    if (want == Want::wait && (events & (EPOLLERR | EPOLLHUP)) != 0) client->session.lost();
    advance(id, *client);
    //| lab::not_implemented("lab 06: on_event()",
    //|                      "the id says who it is; it may be the listener, the stop descriptor, "
    //|                      "or one that has gone", id, events, listener_id, stop_id);
    //@end
  }

  void accept_clients() {
    //@lab 06 accept until nobody waits, and register each client
    for (int i = 0; i < accept_batch && !draining_; ++i) {
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
      if (!control(EPOLL_CTL_ADD, client.socket.get(), client.interest, id)) client.session.lost();
      advance(id, client);
    }
    //| lab::not_implemented("lab 06: accept_clients()",
    //|                      "as in stages/04-select/server.cc, but each client is put into "
    //|                      "clients_ and registered under the id it gets there",
    //|                      accept_batch, context_);
    //@end
  }

  // Out of descriptors, or full: the waiting clients would be reported at once and for ever. We
  // look again when a client leaves, or soon, in case it was another process that ran out.
  void pause_accepting() {
    //@lab 06 take the listener out of the interest
    control(EPOLL_CTL_MOD, context_.listener.get(), 0, listener_id);
    //| lab::not_implemented("lab 06: pause_accepting()", "it may stay registered: for what?");
    //@end
    timers_.set(listener_id, accept_alarm_, now_ + accept_again);
  }

  void resume_accepting() {
    timers_.cancel(listener_id, accept_alarm_);
    //@lab 06 be interested in new clients again
    if (!draining_) control(EPOLL_CTL_MOD, context_.listener.get(), EPOLLIN, listener_id);
    //| lab::not_implemented("lab 06: resume_accepting()", "undo what pause_accepting() has done");
    //@end
  }

  // One recv(2) an event: what it leaves is reported again.
  void on_readable(Connection& client) {
    //@lab 06 give the session what has come
    const auto got = net::io_result(::recv(client.socket.get(), buffer_.data(), buffer_.size(), 0));
    if (got.status == net::Io::failed) client.session.lost();
    if (got.status == net::Io::done && got.bytes == 0) client.session.peer_closed();
    if (got.bytes > 0) client.session.received({buffer_.data(), got.bytes}, now_);
    //| lab::not_implemented("lab 06: on_readable()",
    //|                      "nothing changes here: copy yours from stages/04-select/server.cc",
    //|                      client, buffer_);
    //@end
  }

  // Returns whether the socket may take more.
  bool on_writable(Connection& client) {
    //@lab 06 send what the socket takes
    const auto bytes = client.session.pending();
    const auto put =
        net::io_result(::send(client.socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL));
    if (put.status == net::Io::failed) client.session.lost();
    if (put.bytes > 0) client.session.sent(put.bytes, now_);
    return put.bytes == bytes.size();
    //| lab::not_implemented("lab 06: on_writable()",
    //|                      "nothing changes here: copy yours from stages/04-select/server.cc",
    //|                      client);
    //@end
  }

  // Answers what has come in, sends what the socket takes, and sees what the client needs next.
  void advance(Id id, Connection& client) {
    //@lab 06 answer, send, and see what the client needs next
    context_.answer(client.session);
    for (int i = 0; i < send_batch && client.session.want() == Want::write; ++i) {
      if (!on_writable(client)) break;
      context_.answer(client.session);
    }
    if (client.session.want() == Want::half_close) {
      ::shutdown(client.socket.get(), SHUT_WR);
      client.session.half_closed(now_);
    }
    if (client.session.want() == Want::close) return close_connection(id);
    watch(id, client);
    timers_.set(id, client.alarm, client.session.deadline());
    //| lab::not_implemented("lab 06: advance()",
    //|                      "copy yours from stages/05-poll/server.cc: it ends with watch() and "
    //|                      "the alarm", id, client, send_batch);
    //@end
  }

  // A request that is answered at once changes no interest, so it costs no epoll_ctl(2).
  void watch(Id id, Connection& client) {
    //@lab 06 tell the kernel what the client needs, if that has changed
    std::uint32_t interest = 0;  // waiting for time alone
    if (client.session.want() == Want::read) interest = EPOLLIN;
    if (client.session.want() == Want::write) interest = EPOLLOUT;
    if (interest != client.interest) control(EPOLL_CTL_MOD, client.socket.get(), interest, id);
    client.interest = interest;
    //| lab::not_implemented("lab 06: watch()",
    //|                      "client.interest is what the kernel knows: compare, and call "
    //|                      "control() only for a change", id, client);
    //@end
  }

  void close_connection(Id id) {
    //@lab 06 forget the client, and look whether another one can come in
    timers_.cancel(id, clients_.at(id).alarm);
    clients_.erase(id);  // closing the descriptor takes it out of epoll, too
    context_.service.shared().connections_closed();
    if (accept_alarm_ != Timers::none) resume_accepting();
    //| lab::not_implemented("lab 06: close_connection()",
    //|                      "as in stages/04-select/server.cc: its alarm, its place in clients_, "
    //|                      "the count; and accepting may go on", id);
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
    //@lab 06 accept for the last time, then stop, and let everybody finish
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
    //| lab::not_implemented("lab 06: drain()",
    //|                      "as in stages/04-select/server.cc; the stop descriptor stays "
    //|                      "readable, so it has to leave epoll's list");
    //@end
  }

  // False when the kernel has no memory, or no place, to watch one descriptor more.
  bool control(int operation, int fd, std::uint32_t interest, Id id) {
    //@lab 06 one call of epoll_ctl(2), and what its errors mean
    epoll_event event{.events = interest, .data = {.u64 = id}};
    if (::epoll_ctl(epoll_.get(), operation, fd, &event) == 0) return true;
    if (errno != ENOMEM && errno != ENOSPC) net::throw_errno("epoll_ctl");
    return false;
    //| lab::not_implemented("lab 06: control()",
    //|                      "fill an epoll_event and call epoll_ctl(2); two of its errors are "
    //|                      "one client's bad luck, the others are ours",
    //|                      operation, fd, interest, id);
    //@end
  }

  const server::Context& context_;
  const net::Fd epoll_{net::checked(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")};
  server::Slots<Connection> clients_;
  Timers timers_;
  Timers::Alarm accept_alarm_ = Timers::none;  // set while accepting is paused
  bool draining_ = false;
  http::Time now_ = http::Clock::now();
  std::array<char, 16 * 1024> buffer_;
};

}  // namespace

int main(int argc, char** argv) {
  const server::Stage stage{
      .name = "06-epoll-lt",
      .idea = "interest is registered once, the kernel hands over what is ready",
      .connections = server::descriptors_for_clients()};
  return server::run(argc, argv, stage, net::Listener::Mode::nonblocking,
                     [](server::Context& context) { Server(context).run(); });
}
