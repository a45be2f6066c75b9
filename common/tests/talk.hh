#pragma once

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "http/session.hh"

namespace http {

// So that a failing test says "half_close" and not <03>.
inline std::ostream& operator<<(std::ostream& out, Want want) {
  constexpr const char* names[]{"read", "write", "wait", "half_close", "close"};
  return out << names[static_cast<int>(want)];
}

}  // namespace http

namespace tests {

using http::Time;
using http::Want;
using namespace std::chrono_literals;
using namespace std::string_literals;

// Time stands still in these tests until somebody moves it, and so does the date.
inline constexpr Time start{1h};

inline http::Settings settings() {
  http::Settings standard;
  standard.date = [] { return std::string_view("Sun, 06 Nov 1994 08:49:37 GMT"); };
  return standard;
}

// The bytes of a reply with a text for its body.
inline std::string reply(std::string_view status, std::string_view body,
                         std::string_view connection = {}) {
  std::string bytes = "HTTP/1.1 " + std::string(status) +
                      "\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Type: text/plain"
                      "\r\nContent-Length: " +
                      std::to_string(body.size()) + "\r\n";
  if (!connection.empty()) bytes += "Connection: " + std::string(connection) + "\r\n";
  return bytes + "\r\n" + std::string(body);
}

inline std::string ok(std::string_view body) { return reply("200 OK", body); }
inline std::string last_ok(std::string_view body) { return reply("200 OK", body, "close"); }

// A GET with these further lines of head.
inline std::string get(std::string_view target, std::string_view fields = {}) {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: lab\r\n" + std::string(fields) + "\r\n";
}

// The alphabet, over and over: a body that is made while it is sent.
class Letters final : public http::Source {
 public:
  static std::string first(std::size_t n) {
    std::string letters(n, ' ');
    [[maybe_unused]] const std::size_t all = Letters().read(letters);
    return letters;
  }

  std::size_t read(std::span<char> into) override {
    for (char& c : into) c = static_cast<char>('a' + at_++ % 26);
    return into.size();
  }

 private:
  std::size_t at_ = 0;
};

// The service behind the sessions under test. It says what it was asked, so that a reply shows how
// the request was understood; /later takes a second, /letters/N has a streamed body.
inline http::Answer answer(const http::Request& request, Time now) {
  const std::string_view path = request.path();
  std::size_t letters = 0;
  if (path.starts_with("/letters/") &&
      std::from_chars(path.data() + 9, path.data() + path.size(), letters).ec == std::errc{}) {
    letters = std::min(letters, std::size_t{10'000'000});
    return http::Response{http::Status::ok, "text/plain", {std::make_unique<Letters>(), letters}};
  }
  std::string words = std::string(http::method_text(request.method)) + " " + request.target;
  if (!request.body.empty()) words += ": " + request.body;
  if (path != "/later") return http::plain_text(http::Status::ok, std::move(words));
  auto poll = [words = std::move(words)](Time) {
    return std::optional(http::plain_text(http::Status::ok, words));
  };
  return std::make_unique<http::Later>(http::Later{now + 1s, 1ms, std::move(poll)});
}

// A client, the session that serves it, and a server's loop between them, without a socket.
class Talk {
 public:
  explicit Talk(const http::Settings& how = settings()) : settings_(how) {}

  // The client sends these bytes, and the server answers what is whole.
  void send(std::string_view bytes) {
    session.received(bytes, now);
    serve();
  }

  // The client reads: all there is, or as much of it as it likes.
  std::string read(std::size_t most = SIZE_MAX) {
    std::string got;
    while (session.want() == Want::write && got.size() < most) {
      const auto bytes =
          session.pending().first(std::min(session.pending().size(), most - got.size()));
      got.append(bytes.data(), bytes.size());
      session.sent(bytes.size(), now);
      serve();
    }
    return got;
  }

  std::string say(std::string_view bytes) {
    send(bytes);
    return read();
  }

  // Time goes by, and the server looks who is due.
  void pass(http::Duration time) {
    now += time;
    session.tick(now);
    serve();
  }

  void serve() {
    while (const auto request = session.next_request()) session.respond(answer(*request, now));
  }

 private:
  http::Settings settings_;

 public:
  Time now = start;
  http::Session session{settings_, start};
};

}  // namespace tests
