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

constexpr int accept_batch = 64;  // clients taken in a row, before those we have get their turn
constexpr int send_turns = 4;     // pieces of 64 KiB sent in a row to one client
constexpr auto accept_again = std::chrono::milliseconds(250);

struct Connection {
  net::Fd socket;
  http::Session session;
  server::Timers::Alarm alarm = server::Timers::none;
  std::uint32_t interest = EPOLLIN;  // what epoll reports of it
};

constexpr std::uint32_t interest_in(Want want) {
  if (want == Want::read) return EPOLLIN;
  if (want == Want::write) return EPOLLOUT;
  return 0;  // only time will tell; errors are reported all the same
}

class Server {
 public:
  explicit Server(const server::Context& context);
  void run();

 private:
  using Id = server::Slots<Connection>::Id;  // what epoll gives back: slot and generation
  static constexpr Id listener_id = UINT64_MAX;
  static constexpr Id stop_id = UINT64_MAX - 1;

  void on_event(Id id, std::uint32_t events);
  void accept_clients();
  void pause_accepting();
  void resume_accepting();
  void on_readable(Connection& client);
  bool on_writable(Connection& client);
  void advance(Id id, Connection& client);
  void close_connection(Id id);
  void on_alarms();
  void drain();
  [[nodiscard]] bool control(int operation, int fd, std::uint32_t interest, Id id) const;

  const server::Context& context_;
  const net::Fd epoll_;
  server::Slots<Connection> clients_;
  server::Timers timers_;
  server::Timers::Alarm accept_alarm_ = server::Timers::none;  // set: accepting is paused
  bool draining_ = false;
  http::Time now_ = http::Clock::now();
  std::array<char, 16 * 1024> buffer_;
};

Server::Server(const server::Context& context)
    : context_(context), epoll_(net::checked(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")) {
  if (!control(EPOLL_CTL_ADD, context_.listener.get(), EPOLLIN, listener_id) ||
      !control(EPOLL_CTL_ADD, context_.stop.descriptor(), EPOLLIN, stop_id))
    net::throw_errno("epoll_ctl");
}

void Server::run() {
  std::array<epoll_event, 512> events;
  while (!draining_ || clients_.size() > 0) {
    const int ready = ::epoll_wait(epoll_.get(), events.data(), events.size(), timers_.sleep_ms(now_));
    if (ready == -1 && errno != EINTR) net::throw_errno("epoll_wait");
    now_ = http::Clock::now();
    for (int i = 0; i < ready; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      on_event(event.data.u64, event.events);
    }
    on_alarms();
  }
}

void Server::on_event(Id id, std::uint32_t events) {
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
}

void Server::accept_clients() {
  for (int i = 0; i < accept_batch && !draining_; ++i) {
    if (clients_.size() >= static_cast<std::size_t>(context_.options.max_connections))
      return pause_accepting();
    net::Fd socket(::accept4(context_.listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!socket.is_open()) {
      const net::AcceptError error = net::accept_error(errno);
      if (error == net::AcceptError::this_connection) continue;
      if (error == net::AcceptError::none_waiting) return;
      if (error == net::AcceptError::no_resources) return pause_accepting();
      net::throw_errno("accept4");
    }
    context_.service.shared().connection_opened();
    const Id id = clients_.insert({std::move(socket), context_.new_session(now_)});
    Connection& client = *clients_.find(id);
    if (!control(EPOLL_CTL_ADD, client.socket.get(), client.interest, id))
      client.session.lost();  // ENOSPC, ENOMEM: it cannot be watched
    advance(id, client);
  }
}

// Out of descriptors, or full: the waiting clients would be reported again at once and for ever.
// We look again when a client leaves, or soon, in case it was another process that ran out.
void Server::pause_accepting() {
  if (!control(EPOLL_CTL_MOD, context_.listener.get(), 0, listener_id)) net::throw_errno("epoll_ctl");
  timers_.set(listener_id, accept_alarm_, now_ + accept_again);
}

void Server::resume_accepting() {
  timers_.cancel(listener_id, accept_alarm_);
  if (!draining_ && !control(EPOLL_CTL_MOD, context_.listener.get(), EPOLLIN, listener_id))
    net::throw_errno("epoll_ctl");
}

// One recv(2) an event: what it leaves is reported again.
void Server::on_readable(Connection& client) {
  const auto got =
      net::io_result(::recv(client.socket.get(), buffer_.data(), buffer_.size(), 0));
  if (got.status == net::Io::failed) client.session.lost();
  if (got.status == net::Io::done && got.bytes == 0) client.session.peer_closed();
  if (got.bytes > 0) client.session.received({buffer_.data(), got.bytes}, now_);
}

// Returns whether the socket may take more.
bool Server::on_writable(Connection& client) {
  const auto bytes = client.session.pending();
  const auto put =
      net::io_result(::send(client.socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL));
  if (put.status == net::Io::failed) client.session.lost();
  if (put.bytes > 0) client.session.sent(put.bytes, now_);
  return put.bytes == bytes.size();
}

// Answers what has come in, sends what the socket takes, and asks epoll for what the client needs
// next. A request that is answered at once changes no interest, so it costs no epoll_ctl(2).
void Server::advance(Id id, Connection& client) {
  context_.answer(client.session);
  for (int turn = 0; turn < send_turns && client.session.want() == Want::write; ++turn) {
    if (!on_writable(client)) break;
    context_.answer(client.session);
  }
  if (client.session.want() == Want::half_close) {
    ::shutdown(client.socket.get(), SHUT_WR);
    client.session.half_closed(now_);
  }
  const Want want = client.session.want();
  if (want == Want::close) return close_connection(id);

  const std::uint32_t interest = interest_in(want);
  if (interest != client.interest) {
    if (!control(EPOLL_CTL_MOD, client.socket.get(), interest, id)) return close_connection(id);
    client.interest = interest;
  }
  timers_.set(id, client.alarm, client.session.deadline());
}

void Server::close_connection(Id id) {
  timers_.cancel(id, clients_.find(id)->alarm);
  clients_.erase(id);  // closing the descriptor takes it out of epoll, too
  context_.service.shared().connections_closed();
  if (accept_alarm_ != server::Timers::none) resume_accepting();
}

void Server::on_alarms() {
  while (const auto id = timers_.ring(now_)) {
    if (*id == listener_id) {
      accept_alarm_ = server::Timers::none;
      resume_accepting();
    } else if (Connection* client = clients_.find(*id)) {
      client->alarm = server::Timers::none;
      client->session.tick(now_);
      advance(*id, *client);
    }
  }
}

// Stops accepting, and lets everybody finish what has begun. Whoever has already sent a request
// gets a reply; the idle ones are closed.
void Server::drain() {
  accept_clients();
  draining_ = true;
  context_.listener.close();
  if (!control(EPOLL_CTL_DEL, context_.stop.descriptor(), 0, stop_id)) net::throw_errno("epoll_ctl");
  for (const Id id : clients_.ids()) {
    Connection& client = *clients_.find(id);
    if (client.session.want() == Want::read) on_readable(client);
    client.session.drain();
    advance(id, client);
  }
}

bool Server::control(int operation, int fd, std::uint32_t interest, Id id) const {
  epoll_event event{};
  event.events = interest;
  event.data.u64 = id;
  return ::epoll_ctl(epoll_.get(), operation, fd, &event) == 0;
}

void serve(server::Context& context) { Server(context).run(); }

}  // namespace

int main(int argc, char** argv) {
  const server::Stage stage{.name = "06-epoll-lt",
                            .idea = "interest is registered once, the kernel hands over what is ready",
                            .connections = server::descriptors_for_clients()};
  return server::run(argc, argv, stage, net::Listener::Mode::nonblocking, serve);
}
