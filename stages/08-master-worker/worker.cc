// A worker of 08-master-worker: 06-epoll-lt with a channel where the listener was.

#include "worker.hh"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <cstdint>

#include "channel.hh"
#include "net/error.hh"
#include "net/fd.hh"
#include "net/io_result.hh"
#include "server/log.hh"
#include "server/slots.hh"
#include "server/timers.hh"

namespace {

using http::Want;
using Id = std::uint64_t;  // what epoll gives back with an event: slot and generation
using Timers = server::Timers<Id>;

constexpr int receive_batch = 64;  // clients taken in a row, before those we have get their turn
constexpr int send_batch = 4;      // pieces of 64 KiB sent in a row to one client
constexpr auto receive_again = std::chrono::milliseconds(250);

struct Connection {
  net::Fd socket;
  http::Session session;
  Timers::Alarm alarm = Timers::none;
  std::uint32_t interest = EPOLLIN;  // what epoll reports of it
};

class Worker {
 public:
  Worker(const server::Context& context, net::Fd channel, std::atomic<int>& load)
      : context_(context), channel_(std::move(channel)), load_(load) {
    //@lab 08 register the channel and the stop descriptor, under their ids
    control(EPOLL_CTL_ADD, channel_.get(), EPOLLIN, channel_id);
    control(EPOLL_CTL_ADD, context_.stop.descriptor(), EPOLLIN, stop_id);
    //| lab::not_implemented("lab 08: Worker()",
    //|                      "as in stages/06-epoll-lt/server.cc, with channel_ for the listener",
    //|                      context_, channel_id, stop_id);
    //@end
  }

  void run() {
    //@lab 08 the loop of lab 06, which also ends once the worker is abandoned
    std::array<epoll_event, 512> events;
    while (!abandoned_ && (!draining_ || clients_.size() > 0)) {
      const int n =
          ::epoll_wait(epoll_.get(), events.data(), events.size(), timers_.sleep_ms(now_));
      if (n == -1 && errno != EINTR) net::throw_errno("epoll_wait");
      now_ = http::Clock::now();
      for (std::size_t i = 0; n > 0 && i < static_cast<std::size_t>(n); ++i)
        on_event(events[i].data.u64, events[i].events);
      on_alarms();
    }
    //| lab::not_implemented("lab 08: Worker::run()",
    //|                      "copy yours from stages/06-epoll-lt/server.cc; abandoned_ ends it",
    //|                      draining_, abandoned_);
    //@end
  }

 private:
  static constexpr Id channel_id = UINT64_MAX;
  static constexpr Id stop_id = UINT64_MAX - 1;

  void on_event(Id id, std::uint32_t events) {
    //@lab 08 the channel, the stop signal, or a client as in lab 06
    if (id == channel_id) return on_channel(events);
    if (id == stop_id) return drain();
    Connection* client = clients_.find(id);
    if (client == nullptr) return;  // it was closed earlier in this batch

    const Want want = client->session.want();
    if (want == Want::read) on_readable(*client);
    // EPOLLERR and EPOLLHUP are reported unasked. recv and send would say what is wrong; a client
    // from whom we want neither has to be let go here, or it wakes us for ever.
    if (want == Want::wait && (events & (EPOLLERR | EPOLLHUP)) != 0) client->session.lost();
    advance(id, *client);
    //| lab::not_implemented("lab 08: on_event()",
    //|                      "copy yours from stages/06-epoll-lt/server.cc; channel_id is new",
    //|                      id, events);
    //@end
  }

  // Clients, the end of the channel, or the end of the master (EPOLLHUP).
  void on_channel(std::uint32_t events) {
    //@lab 08 take clients in; see that the master is gone
    receive_clients();
    if ((events & EPOLLHUP) == 0) return;
    // The master is gone. Take in whom it has left in the channel; then it is over.
    const bool paused = receive_alarm_ != Timers::none;
    if (!ended_ && !paused) return;
    if (!ended_) on_end();
    control(EPOLL_CTL_DEL, channel_.get(), 0, channel_id);
    abandoned_ = draining_;  // nobody waits for us any more; had we not begun, we would finish
    //| lab::not_implemented("lab 08: on_channel()",
    //|                      "EPOLLIN: receive_clients(). What if EPOLLHUP comes as well?",
    //|                      events, abandoned_);
    //@end
  }

  // Takes in a batch of clients at most; epoll tells again if there are more.
  void receive_clients() {
    //@lab 08 receive, register, begin to talk
    for (int i = 0; i < receive_batch && !ended_; ++i) {
      auto [news, socket] = channel::receive(channel_);
      if (news == channel::News::nothing) return;
      if (news == channel::News::end) return on_end();
      if (news == channel::News::lost) {
        server::log("worker: no descriptor is free; a client that was handed over is lost");
        --load_;
        context_.service.shared().connections_closed();
        return pause_receiving();
      }
      const Id id = clients_.insert({std::move(socket), context_.new_session(now_)});
      Connection& client = clients_.at(id);
      if (!control(EPOLL_CTL_ADD, client.socket.get(), client.interest, id)) client.session.lost();
      advance(id, client);
    }
    //| lab::not_implemented("lab 08: receive_clients()",
    //|                      "channel::receive() has four kinds of news; which needs what?",
    //|                      receive_batch);
    //@end
  }

  // The master hands over no more: it stops, or it is dead. Either is as good as a stop signal.
  void on_end() {
    //@lab 08 note it, want no more of the channel, and begin to drain
    // From now on only EPOLLHUP, which nobody has to ask for, is of interest.
    ended_ = true;
    control(EPOLL_CTL_MOD, channel_.get(), 0, channel_id);
    if (!context_.stop.requested()) ::raise(SIGTERM);
    //| lab::not_implemented("lab 08: on_end()",
    //|                      "raise(3) starts the drain; what would wake the loop for ever?",
    //|                      ended_);
    //@end
  }

  // Out of descriptors: the next client stays in the channel, until one leaves or for a while.
  void pause_receiving() {
    //@lab 08 do not listen to the channel for a while
    control(EPOLL_CTL_MOD, channel_.get(), 0, channel_id);
    timers_.set(channel_id, receive_alarm_, now_ + receive_again);
    //| lab::not_implemented("lab 08: pause_receiving()",
    //|                      "like pause_accepting() in stages/06-epoll-lt/server.cc",
    //|                      receive_again);
    //@end
  }

  void resume_receiving() {
    //@lab 08 listen again, unless it has ended
    timers_.cancel(channel_id, receive_alarm_);
    if (!ended_) control(EPOLL_CTL_MOD, channel_.get(), EPOLLIN, channel_id);
    //| lab::not_implemented("lab 08: resume_receiving()",
    //|                      "like resume_accepting() in stages/06-epoll-lt/server.cc");
    //@end
  }

  // One recv(2) an event: what it leaves is reported again.
  void on_readable(Connection& client) {
    //@lab 08 give the session what has come, as in lab 06
    const auto got = net::io_result(::recv(client.socket.get(), buffer_.data(), buffer_.size(), 0));
    if (got.status == net::Io::failed) client.session.lost();
    if (got.status == net::Io::done && got.bytes == 0) client.session.peer_closed();
    if (got.bytes > 0) client.session.received({buffer_.data(), got.bytes}, now_);
    //| lab::not_implemented("lab 08: on_readable()",
    //|                      "nothing changes here: copy yours from stages/06-epoll-lt/server.cc",
    //|                      client, buffer_);
    //@end
  }

  // Returns whether the socket may take more.
  bool on_writable(Connection& client) {
    //@lab 08 send what the socket takes, as in lab 06
    const auto bytes = client.session.pending();
    const auto put =
        net::io_result(::send(client.socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL));
    if (put.status == net::Io::failed) client.session.lost();
    if (put.bytes > 0) client.session.sent(put.bytes, now_);
    return put.bytes == bytes.size();
    //| lab::not_implemented("lab 08: on_writable()",
    //|                      "nothing changes here: copy yours from stages/06-epoll-lt/server.cc",
    //|                      client);
    //@end
  }

  // Answers what has come in, sends what the socket takes, and sees what the client needs next.
  void advance(Id id, Connection& client) {
    //@lab 08 answer, send, and see what the client needs next, as in lab 06
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
    //| lab::not_implemented("lab 08: advance()",
    //|                      "nothing changes here: copy yours from stages/06-epoll-lt/server.cc",
    //|                      id, client, send_batch);
    //@end
  }

  // A request that is answered at once changes no interest, so it costs no epoll_ctl(2).
  void watch(Id id, Connection& client) {
    //@lab 08 tell the kernel what the client needs, as in lab 06
    std::uint32_t interest = 0;  // waiting for time alone
    if (client.session.want() == Want::read) interest = EPOLLIN;
    if (client.session.want() == Want::write) interest = EPOLLOUT;
    if (interest != client.interest) control(EPOLL_CTL_MOD, client.socket.get(), interest, id);
    client.interest = interest;
    //| lab::not_implemented("lab 08: watch()",
    //|                      "nothing changes here: copy yours from stages/06-epoll-lt/server.cc",
    //|                      id, client);
    //@end
  }

  void close_connection(Id id) {
    //@lab 08 forget the client, and tell the master by load_
    timers_.cancel(id, clients_.at(id).alarm);
    clients_.erase(id);  // closing the descriptor takes it out of epoll, too
    --load_;
    context_.service.shared().connections_closed();
    if (receive_alarm_ != Timers::none) resume_receiving();
    //| lab::not_implemented("lab 08: close_connection()",
    //|                      "as in stages/06-epoll-lt/server.cc; who else counts this client?",
    //|                      id, load_);
    //@end
  }

  void on_alarms() {
    while (const auto id = timers_.ring(now_)) {
      if (*id == channel_id) {
        receive_alarm_ = Timers::none;
        resume_receiving();
      } else {
        Connection& client = clients_.at(*id);
        client.alarm = Timers::none;
        client.session.tick(now_);
        advance(*id, client);
      }
    }
  }

  // Takes in whom the master has handed over already, and lets everybody finish what has begun:
  // whoever has already sent a request gets a reply, the idle ones are closed.
  void drain() {
    //@lab 08 empty the channel, and let everybody finish
    draining_ = true;
    ::shutdown(channel_.get(), SHUT_RD);  // the master will find another for the next client
    while (!ended_ && receive_alarm_ == Timers::none) receive_clients();
    control(EPOLL_CTL_DEL, context_.stop.descriptor(), 0, stop_id);
    for (const Id id : clients_.ids()) {
      Connection& client = clients_.at(id);
      if (client.session.want() == Want::read) on_readable(client);
      client.session.drain();
      advance(id, client);
    }
    //| lab::not_implemented("lab 08: Worker::drain()",
    //|                      "as in lab 06, but who waits in the channel has a master's word");
    //@end
  }

  // False when the kernel has no memory, or no place, to watch one descriptor more.
  bool control(int operation, int fd, std::uint32_t interest, Id id) {
    //@lab 08 one call of epoll_ctl(2), as in lab 06
    epoll_event event{.events = interest, .data = {.u64 = id}};
    if (::epoll_ctl(epoll_.get(), operation, fd, &event) == 0) return true;
    if (errno != ENOMEM && errno != ENOSPC) net::throw_errno("epoll_ctl");
    return false;
    //| lab::not_implemented("lab 08: control()",
    //|                      "nothing changes here: copy yours from stages/06-epoll-lt/server.cc",
    //|                      operation, fd, interest, id);
    //@end
  }

  const server::Context& context_;
  const net::Fd channel_;
  std::atomic<int>& load_;
  const net::Fd epoll_{net::checked(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")};
  server::Slots<Connection> clients_;
  Timers timers_;
  Timers::Alarm receive_alarm_ = Timers::none;  // set while receiving is paused
  bool ended_ = false;
  bool draining_ = false;
  bool abandoned_ = false;
  http::Time now_ = http::Clock::now();
  std::array<char, 16 * 1024> buffer_;
};

}  // namespace

void run_worker(const server::Context& context, net::Fd channel, std::atomic<int>& load) {
  Worker(context, std::move(channel), load).run();
}
