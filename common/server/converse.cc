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
using http::Session;
using http::Want;

// Makes recv(2) or send(2) give up with EAGAIN after `timeout`; zero would mean never.
void set_timeout(const net::Fd& client, int option, http::Duration timeout) {
  using std::chrono::microseconds;
  const auto us = std::max(std::chrono::duration_cast<microseconds>(timeout), microseconds(1000));
  const timeval value{us.count() / 1'000'000, us.count() % 1'000'000};
  ::setsockopt(client.get(), SOL_SOCKET, option, &value, sizeof value);
}

}  // namespace

void converse(const net::Fd& client, const Context& context) {
  http::Time now = Clock::now();
  Session session = context.new_session(now);
  http::Duration receive_timeout{};
  set_timeout(client, SO_SNDTIMEO, context.settings.io_timeout);

  for (;;) {
    if (context.stop.requested() && !session.idle()) session.drain();
    context.answer(session);

    switch (session.want()) {
      case Want::read: {
        // The time left is the same for every idle wait, so that keep-alive costs no extra call.
        const http::Duration left = session.deadline() - now;
        if (left != receive_timeout) set_timeout(client, SO_RCVTIMEO, left);
        receive_timeout = left;

        std::optional<Stop::Wake> wake;  // an idle client must not hold up a stop; see there
        if (session.idle()) wake.emplace(client.get());

        std::array<char, 16 * 1024> buffer;
        const auto got = net::io_result(::recv(client.get(), buffer.data(), buffer.size(), 0));
        now = Clock::now();
        if (got.status == net::Io::failed) session.lost();
        if (got.status == net::Io::done && got.bytes == 0) session.peer_closed();
        if (got.bytes > 0) session.received({buffer.data(), got.bytes}, now);
        break;
      }
      case Want::write: {
        const auto bytes = session.pending();
        const auto put =
            net::io_result(::send(client.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL));
        now = Clock::now();
        if (put.status == net::Io::failed) session.lost();
        if (put.bytes > 0) session.sent(put.bytes, now);
        break;
      }
      case Want::wait:
        std::this_thread::sleep_until(session.deadline());
        now = Clock::now();
        break;
      case Want::half_close:
        ::shutdown(client.get(), SHUT_WR);
        session.half_closed(now);
        break;
      case Want::close:
        return;
    }
    session.tick(now);
  }
}

}  // namespace server
