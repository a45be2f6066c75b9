// 05-poll: the same without a limit.
//
// poll(2) takes a table with a row for every descriptor, so there may be as many as the process may
// have. What we ask for (events) and what the kernel answers (revents) have places of their own:
// the table stays as it is from call to call, and a row changes only when its client needs
// something else. But every call still copies and searches the whole table, in the kernel and then
// here, and with ten thousand idle clients that is all that is done.

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <unordered_map>
#include <vector>

#include "net/error.hh"
#include "net/fd.hh"
#include "net/io_result.hh"
#include "server/run.hh"
#include "server/timers.hh"

namespace {

using http::Want;
using Id = int;  // the descriptor
using Timers = server::Timers<Id>;

constexpr int accept_batch = 64;  // clients taken in a row, before those we have get their turn
constexpr int send_batch = 4;     // pieces of 64 KiB sent in a row to one client
constexpr auto accept_again = std::chrono::milliseconds(250);

struct Connection {
  net::Fd socket;
  http::Session session;
  std::size_t row;  // table_[row] is about this socket
  Timers::Alarm alarm = Timers::none;
};

class Server {
 public:
  explicit Server(const server::Context& context) : context_(context) {
    table_.push_back({.fd = context_.listener.get(), .events = POLLIN, .revents = 0});
    table_.push_back({.fd = context_.stop.descriptor(), .events = POLLIN, .revents = 0});
  }

  void run() {
    while (!draining_ || clients_.size() > 0) {
      //@lab 05 sleep in poll(2), then visit the rows with an answer, while rows come and go
      const int n = ::poll(table_.data(), table_.size(), timers_.sleep_ms(now_));
      if (n == -1 && errno != EINTR) net::throw_errno("poll");
      now_ = http::Clock::now();
      // Backwards: when a client leaves, the last row fills the hole, and that has had its turn.
      for (std::size_t row = table_.size(); n > 0 && row-- > 0;)
        if (table_[row].revents != 0) on_event(table_[row].fd, table_[row].revents);
      on_alarms();
      //| lab::not_implemented("lab 05: run()",
      //|                      "one poll(2) for the table; which way is it safe to walk it?");
      //@end
    }
  }

 private:
  void on_event(Id id, short events) {
    //@lab 05 tell listener, stop signal and clients apart; some events come unasked
    if (id == listener_id) return accept_clients();
    if (id == stop_id) return drain();
    Connection& client = clients_.at(id);

    const Want want = client.session.want();
    if (want == Want::read) on_readable(client);
    // POLLERR, POLLHUP and POLLNVAL are reported unasked. recv and send would say what is wrong; a
    // client from whom we want neither has to be let go here, or it wakes us for ever.
    if (want == Want::wait && (events & (POLLERR | POLLHUP | POLLNVAL)) != 0) client.session.lost();
    advance(id, client);
    //| lab::not_implemented("lab 05: on_event()",
    //|                      "what if a row has an answer that its client did not ask for?",
    //|                      id, events);
    //@end
  }

  void accept_clients() {
    //@lab 05 take a batch of clients that wait, and give each a row of the table
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
      const Id id = socket.get();
      clients_.emplace(id,
                       Connection{std::move(socket), context_.new_session(now_), table_.size()});
      table_.push_back({.fd = id, .events = POLLIN, .revents = 0});
      advance(id, clients_.at(id));
    }
    //| lab::not_implemented("lab 05: accept_clients()",
    //|                      "as in stages/04-select/server.cc, but there is a row for everybody",
    //|                      accept_batch);
    //@end
  }

  // Out of descriptors, or full: the waiting clients would be reported at once and for ever. We
  // look again when a client leaves, or soon, in case it was another process that ran out.
  void pause_accepting() {
    //@lab 05 ask no more about the listener
    table_[0].events = 0;
    //| lab::not_implemented("lab 05: pause_accepting()", "what asks about the listener? row 0");
    //@end
    timers_.set(listener_id, accept_alarm_, now_ + accept_again);
  }

  void resume_accepting() {
    timers_.cancel(listener_id, accept_alarm_);
    //@lab 05 ask about the listener again
    table_[0].events = POLLIN;
    //| lab::not_implemented("lab 05: resume_accepting()", "undo what pause_accepting() has done");
    //@end
  }

  // One recv(2) an event: what it leaves is reported again.
  void on_readable(Connection& client) {
    //@lab 05 receive what there is, and tell the session what came of it
    const auto got = net::io_result(::recv(client.socket.get(), buffer_.data(), buffer_.size(), 0));
    if (got.status == net::Io::failed) client.session.lost();
    if (got.status == net::Io::done && got.bytes == 0) client.session.peer_closed();
    if (got.bytes > 0) client.session.received({buffer_.data(), got.bytes}, now_);
    //| lab::not_implemented("lab 05: on_readable()",
    //|                      "nothing changes here: copy yours from stages/04-select/server.cc",
    //|                      client, buffer_);
    //@end
  }

  // Returns whether the socket may take more.
  bool on_writable(Connection& client) {
    //@lab 05 send what is pending, and tell the session how much of it went out
    const auto bytes = client.session.pending();
    const auto put =
        net::io_result(::send(client.socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL));
    if (put.status == net::Io::failed) client.session.lost();
    if (put.bytes > 0) client.session.sent(put.bytes, now_);
    return put.bytes == bytes.size();
    //| lab::not_implemented("lab 05: on_writable()",
    //|                      "nothing changes here: copy yours from stages/04-select/server.cc",
    //|                      client);
    //@end
  }

  // Answers what has come in, sends what the socket takes, and sees what the client needs next.
  void advance(Id id, Connection& client) {
    //@lab 05 answer, send while the client takes it, then say what it needs next
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
    //| lab::not_implemented("lab 05: advance()",
    //|                      "as in stages/04-select/server.cc; and the row has to know",
    //|                      id, client, send_batch);
    //@end
  }

  // Makes the row of a client say what its session wants. Time alone needs no event.
  void watch(Id, Connection& client) {
    //@lab 05 make a row ask for what its client needs now, and for nothing else
    // Interest in writing only while there is something to write: a socket is writable most times.
    short interest = 0;  // waiting for time alone
    if (client.session.want() == Want::read) interest = POLLIN;
    if (client.session.want() == Want::write) interest = POLLOUT;
    table_[client.row].events = interest;
    //| lab::not_implemented("lab 05: watch()", "which events fit which want?", client);
    //@end
  }

  // The table and the clients change together, and nobody leaves them but here.
  void close_connection(Id id) {
    //@lab 05 forget a client and its row, and leave no hole in the table
    timers_.cancel(id, clients_.at(id).alarm);
    const std::size_t row = clients_.at(id).row;
    table_[row] = table_.back();
    clients_.at(table_[row].fd).row = row;
    table_.pop_back();
    clients_.erase(id);
    context_.service.shared().connections_closed();
    if (accept_alarm_ != Timers::none) resume_accepting();
    //| lab::not_implemented("lab 05: close_connection()",
    //|                      "as in stages/04-select/server.cc; and its row goes, without a hole",
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
    //@lab 05 let in who waits already, ask no more about rows 0 and 1, tell every session
    accept_clients();
    draining_ = true;
    context_.listener.close();
    table_[0] = table_[1] = {.fd = -1, .events = 0, .revents = 0};  // poll(2) passes over them
    for (std::size_t row = table_.size(); row-- > 2;) {
      const Id id = table_[row].fd;
      Connection& client = clients_.at(id);
      if (client.session.want() == Want::read) on_readable(client);
      client.session.drain();
      advance(id, client);
    }
    //| lab::not_implemented("lab 05: drain()",
    //|                      "as in stages/04-select/server.cc; who asks about rows 0, 1?");
    //@end
  }

  const server::Context& context_;
  const Id listener_id = context_.listener.get();
  const Id stop_id = context_.stop.descriptor();
  std::vector<pollfd> table_;  // the listener, the stop signal, and the clients
  std::unordered_map<Id, Connection> clients_;
  Timers timers_;
  Timers::Alarm accept_alarm_ = Timers::none;  // set while accepting is paused
  bool draining_ = false;
  http::Time now_ = http::Clock::now();
  std::array<char, 16 * 1024> buffer_;
};

}  // namespace

int main(int argc, char** argv) {
  const server::Stage stage{.name = "05-poll",
                            .idea = "no size limit, but every call still scans all",
                            .connections = server::descriptors_for_clients()};
  return server::run(argc, argv, stage, net::Listener::Mode::nonblocking,
                     [](server::Context& context) { Server(context).run(); });
}
