#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "http/parser.hh"
#include "http/request.hh"
#include "http/response.hh"
#include "http/settings.hh"
#include "http/time.hh"

namespace http {

// What a session needs next. One thing at a time: a client that does not read its replies is not
// read from either, and that is all the back-pressure there is.
enum class Want : std::uint8_t {
  read,        // bytes: call received() or peer_closed()
  write,       // to send pending(): call sent()
  wait,        // nothing but time: an answer is still to come, by respond() or tick()
  half_close,  // shutdown(fd, SHUT_WR): call half_closed()
  close,       // the end
};

// One client's HTTP/1.1 conversation, with no I/O in it: it eats bytes and yields bytes, never
// blocks, and reads no descriptor and no clock. Requests are answered in order (RFC 9112 section
// 9.3.2); replies to pipelined requests leave together. While idle it owns no buffers.
class Session {
 public:
  static constexpr std::size_t output_limit = 64 * 1024;  // bytes ready to be sent; more must wait

  Session(const Settings& settings, Time now);

  [[nodiscard]] Want want() const noexcept;

  void received(std::span<const char> bytes, Time now);  // recv(2) gave these
  void peer_closed();    // recv(2) gave 0: no more requests, but replies still go out
  void lost() noexcept;  // recv(2) or send(2) failed: nothing more can be done

  // The next whole request, or nothing until more bytes come or replies have left. Whoever takes
  // one must respond() to it, now or later.
  [[nodiscard]] std::optional<Request> next_request();
  void respond(Answer answer);

  [[nodiscard]] std::span<const char> pending() const noexcept;  // holds until the next call
  void sent(std::size_t n, Time now);
  void half_closed(Time now);

  // When tick() is due, unless something else happens first; Time::max() for never.
  [[nodiscard]] Time deadline() const noexcept;
  void tick(Time now);

  // The server is to stop: finish what has begun, start nothing new.
  void drain() noexcept { draining_ = true; }

  // Nothing has come of a request, and nothing is left of a reply: may be closed at any time.
  [[nodiscard]] bool idle() const noexcept;

  // The last reply is out, and what the client still sends is read away for a while.
  [[nodiscard]] bool lingering() const noexcept { return end_ == End::lingering; }

 private:
  enum class End : std::uint8_t { no, after_replies, lingering, closed };

  [[nodiscard]] std::string_view input() const { return std::string_view(in_).substr(taken_); }
  [[nodiscard]] bool finished() const noexcept;
  [[nodiscard]] bool may_parse() const noexcept;
  [[nodiscard]] std::size_t parse(std::string_view input);
  void refuse(Refusal why);
  void reply(Response&& response);
  void fill();

  const Settings* settings_;
  Time moved_;         // when bytes last went in or out
  Time head_began_{};  // when the first byte of the request at hand came
  std::string in_;     // received, from taken_ on not yet parsed
  std::size_t taken_ = 0;
  std::unique_ptr<Parser> parser_;  // of the request that is coming in
  std::string out_;                 // to be sent, from sent_ on
  std::size_t sent_ = 0;
  std::unique_ptr<Source> source_;  // the rest of the last reply's body
  std::uint64_t source_left_ = 0;
  std::unique_ptr<Later> later_;
  std::string logged_;  // the request line, for the access log

  End end_ = End::no;
  bool answering_ = false;  // a request is out and not yet responded to
  bool head_only_ = false;  // it was HEAD
  bool keep_alive_ = true;  // it wants the connection kept
  bool http_1_0_ = false;
  bool continued_ = false;  // 100 Continue was said for the request coming in
  bool linger_ = false;     // after the last reply, read away what still comes
  bool peer_closed_ = false;
  bool draining_ = false;
};

}  // namespace http
