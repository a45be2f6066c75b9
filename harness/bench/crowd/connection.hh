#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

#include "exchange.hh"
#include "figures.hh"
#include "net/fd.hh"
#include "net/io_result.hh"

namespace crowd {

using Clock = std::chrono::steady_clock;
using Time = Clock::time_point;

enum class Role : std::size_t {
  active,  // asks again and again while there is a load
  idle,    // has asked once and says nothing any more
  deaf,    // reads slowly
};

struct Failure {
  Trouble trouble;
  const char* reason;
};

// One connection and what it waits for: sends its text, receives and verifies the answer. It is
// registered edge-triggered, so whoever gets less than there was room for has got everything.
struct Connection {
  net::Fd fd;
  Role role = Role::active;
  bool opening = false;          // it had no answer yet
  bool fresh = false;            // it could not send a byte yet
  Exchange* exchange = nullptr;  // whose answer it waits for; none: it is quiet
  std::size_t unsent = 0;
  std::size_t received = 0;
  Time since{};  // when the text was sent

  [[nodiscard]] bool is_open() const noexcept { return fd.is_open(); }

  // Sends what the socket takes of the text; an edge will say when there is room for the rest.
  std::optional<Failure> transmit() {
    const std::string& text = exchange->text;
    const char* const rest = text.data() + (text.size() - unsent);
    const auto [status, bytes] = net::io_result(send(fd.get(), rest, unsent, MSG_NOSIGNAL));
    if (status == net::Io::failed) return failed(fresh ? Trouble::connect : Trouble::write);
    if (status != net::Io::done) return {};
    unsent -= bytes;
    fresh = false;
    return {};
  }

  // Receives the answer as far as it is there, by way of `buffer`: at most `limit` bytes if deaf.
  std::optional<Failure> receive(std::span<char> buffer, std::size_t limit) {
    if (exchange->reply_bytes == 0) {
      const auto failure = learn(buffer);
      if (failure || exchange->reply_bytes == 0) return failure;
    }
    if (role == Role::deaf) buffer = buffer.first(limit);
    while (true) {
      const auto [status, bytes] = net::io_result(read(fd.get(), buffer.data(), buffer.size()));
      if (status == net::Io::failed) return failed(Trouble::read);
      if (status != net::Io::done) return {};
      if (const auto failure = judged({buffer.data(), bytes})) return failure;
      received += bytes;
      if (complete() || bytes < buffer.size() || role == Role::deaf) return {};
    }
  }

  // Whether the answer is there, whole and right.
  [[nodiscard]] bool complete() const noexcept {
    return received > 0 && received == exchange->bytes();
  }

  // What its trouble is called when it has waited for too long.
  [[nodiscard]] Failure late() const {
    return {inside_reply() ? Trouble::length : Trouble::timeout, "ETIMEDOUT"};
  }

 private:
  static Failure failed(Trouble trouble) { return {trouble, strerrorname_np(errno)}; }

  [[nodiscard]] std::optional<Failure> judged(std::string_view piece) const {
    if (piece.empty() && inside_reply()) return Failure{Trouble::length, "length"};
    if (piece.empty()) return Failure{Trouble::read, "closed"};
    const std::size_t rest = exchange->bytes() - received;
    if (!exchange->agrees(received, piece.substr(0, rest))) {
      return Failure{Trouble::status, "status"};
    }
    if (piece.size() > rest) return Failure{Trouble::length, "length"};
    return {};
  }

  [[nodiscard]] bool inside_reply() const {
    return exchange->reply_bytes > 0 && received % exchange->reply_bytes != 0;
  }

  // The first reply says how long they are; it is only looked at and stays where it is.
  std::optional<Failure> learn(std::span<char> buffer) const {
    const auto [status, bytes] =
        net::io_result(recv(fd.get(), buffer.data(), buffer.size(), MSG_PEEK));
    if (status == net::Io::failed) return failed(Trouble::read);
    if (status != net::Io::done) return {};
    const std::string_view input(buffer.data(), bytes);
    if (input.empty()) return Failure{Trouble::read, "closed"};
    if (!Exchange::begins_right(input)) return Failure{Trouble::status, "status"};
    exchange->reply_bytes = reply_size(input);
    const bool more_to_come = !has_head(input) && bytes < buffer.size() && !ended();
    if (exchange->reply_bytes > 0 || more_to_come) return {};
    return Failure{Trouble::length, "length"};
  }

  // Whether the server will send no more than what is there already.
  [[nodiscard]] bool ended() const {
    pollfd end{fd.get(), POLLRDHUP, 0};
    return poll(&end, 1, 0) > 0;
  }
};

}  // namespace crowd
