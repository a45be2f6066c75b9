#include "server/converse.hh"

#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <thread>

#include "net/io_result.hh"

namespace server {
namespace {

using http::Clock;
using http::Duration;
using http::Session;
using http::Want;

// A client that has just come gets this long for its first byte, whoever else may wait.
constexpr auto first_rest = std::chrono::seconds(1);

// Makes recv(2) or send(2) give up with EAGAIN after `timeout`; zero would mean never.
void set_timeout(const net::Fd& client, int option, Duration timeout) {
  using std::chrono::microseconds;
  const auto us = std::max(std::chrono::duration_cast<microseconds>(timeout), microseconds(1000));
  const timeval value{us.count() / 1'000'000, us.count() % 1'000'000};
  ::setsockopt(client.get(), SOL_SOCKET, option, &value, sizeof value);
}

// One blocking conversation.
class Conversation {
 public:
  Conversation(const net::Fd& client, const Context& context, Rests& rests)
      : client_(client), context_(context), rests_(rests), session_(context.new_session(now_)) {
    set_timeout(client_, SO_SNDTIMEO, context.settings.io_timeout);
  }

  // The whole conversation: answers what has come, does the one thing that the session wants, and
  // so on, until it wants to close.
  void run() {
    //@lab 00 do what the session wants, one step after another, until it wants to close
    for (;;) {
      context_.answer(session_);
      switch (session_.want()) {
        case Want::read: read(); break;
        case Want::write: send(); break;
        case Want::wait: wait(); break;
        case Want::half_close: half_close(); break;
        case Want::close: return;
      }
      after_each_step();
    }
    //| lab::not_implemented("lab 00: Conversation::run()",
    //|                      "a loop: answer, ask want(), do that one thing, after_each_step()");
    //@end
  }

 private:
  // Time goes on for the session; and when the server stops, or others wait for this thread (lab
  // 03), the reply under way is the last one.
  void after_each_step() {
    const bool last = context_.stop.requested() || rests_.crowded();
    if (last && !session_.idle()) session_.drain();
    session_.tick(now_);
  }

  void read() {
    if (session_.idle() || session_.lingering())
      rest();
    else
      receive(session_.deadline() - now_);
  }

  // Waits for a request to begin, or for the client to leave. A stop, or a pool with better use for
  // this thread, ends that by shutting the socket down for reading: recv(2) then says that there is
  // no more to come.
  void rest() {
    const Stop::Wake wake(client_.get());
    const Duration limit = session_.deadline() - now_;
    if (!known_ && limit > first_rest) {
      known_ = true;
      return receive(first_rest);
    }
    rests_.begin(client_.get());
    receive(limit);
    rests_.end(client_.get());
  }

  // One recv(2), which waits `limit` at most, and what came of it: bytes, the client's end of
  // input, or a connection that is lost. Nothing came: the session's deadlines see to that.
  void receive(Duration limit) {
    // A kept-alive connection rests equally long every time, so this costs it one call in all.
    if (limit != receive_limit_) set_timeout(client_, SO_RCVTIMEO, limit);
    receive_limit_ = limit;
    //@lab 00 receive once, and tell the session what came
    std::array<char, 2 * 1024> buffer;  // small: on the stack of all who serve a client
    const auto got = net::io_result(::recv(client_.get(), buffer.data(), buffer.size(), 0));
    now_ = Clock::now();
    if (got.status == net::Io::failed) session_.lost();
    if (got.status == net::Io::done && got.bytes == 0) session_.peer_closed();
    if (got.bytes > 0) session_.received({buffer.data(), got.bytes}, now_);
    //| lab::not_implemented("lab 00: Conversation::receive()",
    //|                      "one recv(2); io_result() sorts its result; four cases");
    //@end
  }

  // One send(2) of what is pending, which waits --io-timeout at most, and what came of it.
  void send() {
    //@lab 00 send once, and tell the session how much went out
    const auto bytes = session_.pending();
    const auto put =
        net::io_result(::send(client_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL));
    now_ = Clock::now();
    if (put.status == net::Io::failed) session_.lost();
    if (put.bytes > 0) session_.sent(put.bytes, now_);
    //| lab::not_implemented("lab 00: Conversation::send()",
    //|                      "one send(2) of session_.pending(); it may take less than all");
    //@end
  }

  void wait() {
    std::this_thread::sleep_until(session_.deadline());
    now_ = Clock::now();
  }

  // The last reply is out: says so to the client, and goes on listening to it.
  void half_close() {
    //@lab 00 end our half of the connection only
    ::shutdown(client_.get(), SHUT_WR);
    session_.half_closed(now_);
    //| lab::not_implemented("lab 00: Conversation::half_close()",
    //|                      "shutdown(2) of one direction, then tell the session");
    //@end
  }

  const net::Fd& client_;
  const Context& context_;
  Rests& rests_;
  http::Time now_ = Clock::now();
  Session session_;
  Duration receive_limit_{};
  bool known_ = false;
};

}  // namespace

void converse(const net::Fd& client, const Context& context, Rests& rests) {
  Conversation(client, context, rests).run();
}

void converse(const net::Fd& client, const Context& context) {
  Rests rests;
  converse(client, context, rests);
}

void turn_away(const net::Fd& client, const Context& context) {
  const std::string_view words = "503: this server is full; try again in a moment\n";
  const std::string reply =
      "HTTP/1.1 503 Service Unavailable\r\nDate: " + std::string(context.settings.date()) +
      "\r\nContent-Type: text/plain\r\nContent-Length: " + std::to_string(words.size()) +
      "\r\nConnection: close\r\n\r\n" + std::string(words);
  // What the client has already sent must be read: closing over unread bytes sends RST, and that
  // can destroy the reply.
  std::array<char, 16 * 1024> request;
  [[maybe_unused]] ssize_t n =
      ::send(client.get(), reply.data(), reply.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  ::shutdown(client.get(), SHUT_WR);
  n = ::recv(client.get(), request.data(), request.size(), MSG_DONTWAIT);
}

}  // namespace server
