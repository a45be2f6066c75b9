// 04-select: one thread waits for all.
//
// Sockets no longer block: recv(2) and send(2) do what can be done and come back. What a blocking
// server kept on its stack, how far it has come with each client, is now kept per connection (that
// is what http::Session is for), and select(2) says for whom there is something to do. Ten clients
// or a thousand, there is one thread, and nobody waits for a slow one. But a set has room for
// FD_SETSIZE descriptors, and each call copies and searches all of it.

#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <stdexcept>
#include <unordered_map>

#include "net/error.hh"
#include "net/fd.hh"
#include "net/io_result.hh"
#include "server/converse.hh"
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
  Timers::Alarm alarm = Timers::none;
};

class Server {
 public:
  explicit Server(const server::Context& context) : context_(context) {
    if (listener_id >= FD_SETSIZE || stop_id >= FD_SETSIZE)
      throw std::runtime_error("select: too many descriptors were open when this server started");
  }

  void run() {
    while (!draining_ || clients_.size() > 0) {
      //@lab 04 ask, sleep in select(2) until something is due, and act on it
      ask();
      std::optional<timeval> timeout;
      if (const int ms = timers_.sleep_ms(now_); ms >= 0) timeout = {ms / 1000, ms % 1000 * 1000};
      const int n =
          ::select(highest_ + 1, &readable_, &writable_, nullptr, timeout ? &*timeout : nullptr);
      if (n == -1 && errno != EINTR) net::throw_errno("select");
      now_ = http::Clock::now();
      if (n > 0) on_answer();  // after an error the sets mean nothing
      on_alarms();
      //| lab::not_implemented("lab 04: run()",
      //|                      "one select(2) for everybody; how long may it sleep at most?");
      //@end
    }
  }

 private:
  // select(2) overwrites the sets with its answer, so the question is put anew each time.
  void ask() {
    //@lab 04 put the whole question anew: the listener, the stop signal, and every client
    FD_ZERO(&readable_);
    FD_ZERO(&writable_);
    highest_ = -1;
    const bool accepting = !draining_ && accept_alarm_ == Timers::none;
    if (accepting) watch(listener_id, Want::read);
    if (!draining_) watch(stop_id, Want::read);
    for (const auto& [id, client] : clients_) watch(id, client.session.want());
    //| lab::not_implemented("lab 04: ask()", "whom do you want to hear of now, and what of them?",
    //|                      readable_, writable_, highest_);
    //@end
  }

  // The sets hold the answer now: whoever is in one of them has something for us.
  void on_answer() {
    //@lab 04 visit the clients the answer is about, then the listener and the stop signal
    // The listener comes last: a new client may get the descriptor of one that has just left, and
    // would be taken for it.
    for (auto next = clients_.begin(); next != clients_.end();) {
      const Id id = (next++)->first;
      if (FD_ISSET(id, &readable_) || FD_ISSET(id, &writable_)) on_event(id);
    }
    if (FD_ISSET(listener_id, &readable_)) accept_clients();
    if (FD_ISSET(stop_id, &readable_)) drain();
    //| lab::not_implemented("lab 04: on_answer()", "each client in a set gets its on_event()");
    //@end
  }

  void on_event(Id id) {
    //@lab 04 read if that is what the session wants, then go on with this client
    Connection& client = clients_.at(id);
    if (client.session.want() == Want::read) on_readable(client);
    advance(id, client);
    //| lab::not_implemented("lab 04: on_event()", "what does the session of this client want?",
    //|                      id);
    //@end
  }

  void accept_clients() {
    //@lab 04 take a batch of clients that wait, as non-blocking sockets with a session each
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
      const Id id = socket.get();
      if (id >= FD_SETSIZE) {  // FD_SET(3) would write behind the set's end
        server::turn_away(socket, context_);
        continue;
      }
      context_.service.shared().connection_opened();
      clients_.emplace(id, Connection{std::move(socket), context_.new_session(now_)});
      advance(id, clients_.at(id));
    }
    //| lab::not_implemented("lab 04: accept_clients()",
    //|                      "accept4(2) until nobody waits; who fits into a set?", accept_batch);
    //@end
  }

  // Out of descriptors, or full: the waiting clients would be reported at once and for ever. We
  // look again when a client leaves, or soon, in case it was another process that ran out.
  void pause_accepting() { timers_.set(listener_id, accept_alarm_, now_ + accept_again); }

  void resume_accepting() { timers_.cancel(listener_id, accept_alarm_); }

  // One recv(2) an event: what it leaves is reported again.
  void on_readable(Connection& client) {
    //@lab 04 receive what there is, and tell the session what came of it
    const auto got = net::io_result(::recv(client.socket.get(), buffer_.data(), buffer_.size(), 0));
    if (got.status == net::Io::failed) client.session.lost();
    if (got.status == net::Io::done && got.bytes == 0) client.session.peer_closed();
    if (got.bytes > 0) client.session.received({buffer_.data(), got.bytes}, now_);
    //| lab::not_implemented("lab 04: on_readable()",
    //|                      "recv(2) once: bytes, the end, nothing yet, or a lost connection",
    //|                      client, buffer_);
    //@end
  }

  // Returns whether the socket may take more.
  bool on_writable(Connection& client) {
    //@lab 04 send what is pending, and tell the session how much of it went out
    const auto bytes = client.session.pending();
    const auto put =
        net::io_result(::send(client.socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL));
    if (put.status == net::Io::failed) client.session.lost();
    if (put.bytes > 0) client.session.sent(put.bytes, now_);
    return put.bytes == bytes.size();
    //| lab::not_implemented("lab 04: on_writable()", "send(2) takes what fits, and says how much",
    //|                      client);
    //@end
  }

  // Answers what has come in, sends what the socket takes, and sees what the client needs next.
  void advance(Id id, Connection& client) {
    //@lab 04 answer, send while the client takes it, then see what it needs next
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
    timers_.set(id, client.alarm, client.session.deadline());
    //| lab::not_implemented("lab 04: advance()",
    //|                      "do all that can be done without waiting; then set the alarm",
    //|                      id, client, send_batch);
    //@end
  }

  // Puts a descriptor where its want belongs. Time alone needs no place in a set.
  void watch(Id id, Want want) {
    //@lab 04 put a descriptor into the set that fits its want, and keep the highest
    // Interest in writing only while there is something to write: a socket is writable most times.
    if (want == Want::read) FD_SET(id, &readable_);
    if (want == Want::write) FD_SET(id, &writable_);
    highest_ = std::max(highest_, id);
    //| lab::not_implemented("lab 04: watch()", "FD_SET into the set it belongs to, if any",
    //|                      id, want);
    //@end
  }

  void close_connection(Id id) {
    //@lab 04 forget a client wherever it is known, and let the next one in
    timers_.cancel(id, clients_.at(id).alarm);
    clients_.erase(id);
    context_.service.shared().connections_closed();
    if (accept_alarm_ != Timers::none) resume_accepting();
    //| lab::not_implemented("lab 04: close_connection()",
    //|                      "who knows this client, besides clients_ itself?", id);
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
    //@lab 04 let in who waits already, close the listener, and tell every session
    accept_clients();
    draining_ = true;
    context_.listener.close();
    for (auto next = clients_.begin(); next != clients_.end();) {
      auto& [id, client] = *next++;
      if (client.session.want() == Want::read) on_readable(client);
      client.session.drain();
      advance(id, client);
    }
    //| lab::not_implemented("lab 04: drain()",
    //|                      "stop accepting first; each client may finish what it has begun");
    //@end
  }

  const server::Context& context_;
  const Id listener_id = context_.listener.get();
  const Id stop_id = context_.stop.descriptor();
  fd_set readable_;  // the question, and then the answer
  fd_set writable_;
  int highest_ = -1;
  std::unordered_map<Id, Connection> clients_;
  Timers timers_;
  Timers::Alarm accept_alarm_ = Timers::none;  // set while accepting is paused
  bool draining_ = false;
  http::Time now_ = http::Clock::now();
  std::array<char, 16 * 1024> buffer_;
};

}  // namespace

int main(int argc, char** argv) {
  const server::Stage stage{.name = "04-select",
                            .idea = "one thread waits for all; non-blocking, per-connection state",
                            .connections = server::descriptors_for_clients()};
  return server::run(argc, argv, stage, net::Listener::Mode::nonblocking,
                     [](server::Context& context) { Server(context).run(); });
}
