#include "http/session.hh"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

namespace http {
namespace {

// After a refusal the client may still be sending. Closing at once would make the kernel answer
// with RST, which can destroy the reply on its way (RFC 9112 section 9.6). So: say what there is
// to say, shut down writing, and read away what comes for at most this long.
constexpr Duration linger_time = std::chrono::seconds(2);

constexpr std::size_t head_room = 192;  // bytes: a reply's head without its further fields

// Gives the memory back, too; assigning an empty string would keep it.
void release(std::string& text) { std::string().swap(text); }

std::string_view digits(std::uint64_t number, std::array<char, 20>& room) {
  const auto [end, error] = std::to_chars(room.data(), room.data() + room.size(), number);
  return {room.data(), static_cast<std::size_t>(end - room.data())};
}

}  // namespace

Session::Session(const Settings& settings, Time now) : settings_(&settings), moved_(now) {}

bool Session::idle() const noexcept {
  return end_ == End::no && in_.empty() && !parser_ && !answering_ && out_.empty();
}

// Nothing is left to be done, and nothing more will come that could be.
bool Session::finished() const noexcept {
  if (answering_ || !out_.empty()) return false;
  if (end_ == End::after_replies) return true;
  return peer_closed_ || (draining_ && idle());
}

Want Session::want() const noexcept {
  if (end_ == End::closed) return Want::close;
  if (!out_.empty()) return Want::write;
  if (answering_) return Want::wait;
  if (end_ == End::lingering) return peer_closed_ ? Want::close : Want::read;
  if (!finished()) return Want::read;
  const bool may_still_send = end_ == End::after_replies && (linger_ || !in_.empty());
  return may_still_send && !peer_closed_ ? Want::half_close : Want::close;
}

void Session::received(std::span<const char> bytes, Time now) {
  if (settings_->traffic != nullptr)
    settings_->traffic->bytes_in.fetch_add(bytes.size(), std::memory_order_relaxed);
  if (end_ != End::no) return;  // read away: see linger_time
  moved_ = now;
  if (in_.empty() && !parser_) head_began_ = now;
  std::string_view input(bytes.data(), bytes.size());
  // Most requests come whole, and are read where they lie.
  if (in_.empty() && may_parse()) input.remove_prefix(parse(input));
  in_.append(input);
}

void Session::peer_closed() { peer_closed_ = true; }

void Session::lost() noexcept { end_ = End::closed; }

// The next request waits until the one before has its reply, and until that can leave.
bool Session::may_parse() const noexcept {
  return !answering_ && !source_ && end_ == End::no && out_.size() < output_limit;
}

// Returns how many bytes of the input are used up; the rest has to be offered again.
std::size_t Session::parse(std::string_view input) {
  std::size_t taken = 0;
  if (!parser_) {
    while (input.substr(taken).starts_with("\r\n")) taken += 2;  // RFC 9112 section 2.2: leniently
    const std::string_view rest = input.substr(taken);
    if (!rest.empty() && rest != "\r") parser_ = Parser::make(*settings_);
  }
  if (parser_) taken += parser_->take(input.substr(taken));
  return taken;
}

std::optional<Request> Session::next_request() {
  if (!may_parse()) return std::nullopt;
  taken_ += parse(input());
  if (taken_ > 0 && taken_ == in_.size()) {
    release(in_);
    taken_ = 0;
  }
  if (!parser_) return std::nullopt;

  if (parser_->expects_continue() && !continued_) {
    out_ += "HTTP/1.1 100 Continue\r\n\r\n";
    continued_ = true;
  }
  if (parser_->refusal()) {
    refuse(*parser_->refusal());
    return std::nullopt;
  }
  if (!parser_->complete()) {
    in_.erase(0, taken_);
    taken_ = 0;
    return std::nullopt;
  }

  std::optional<Request> request(std::move(parser_->request()));
  parser_.reset();
  answering_ = true;
  continued_ = false;
  head_began_ = moved_;  // of the next request, should its first bytes be here already
  head_only_ = request->method == Method::head;
  keep_alive_ = request->keep_alive;
  http_1_0_ = request->http_1_0;
  if (settings_->log != nullptr)
    logged_ = std::string(method_text(request->method)) + " " + request->target;
  if (settings_->traffic != nullptr)
    settings_->traffic->requests.fetch_add(1, std::memory_order_relaxed);
  return request;
}

void Session::refuse(Refusal why) {
  parser_.reset();
  release(in_);
  taken_ = 0;
  keep_alive_ = continued_ = false;
  linger_ = true;  // what else comes is not looked at, but it may come
  head_only_ = false;
  http_1_0_ = false;
  logged_ = "-";
  const std::string status(status_text(why.status));
  reply(plain_text(why.status, status + ": " + std::string(why.reason) + "\n"));
}

void Session::respond(Answer answer) {
  if (auto* later = std::get_if<std::unique_ptr<Later>>(&answer))
    later_ = std::move(*later);
  else
    reply(std::get<Response>(std::move(answer)));
}

void Session::reply(Response&& response) {
  answering_ = false;
  // A client that will send no more may have sent several requests before: they are all answered.
  const bool last = peer_closed_ && input().empty();
  const bool close = !keep_alive_ || draining_ || last;
  const std::uint64_t length = response.body.length;
  const bool bodiless = head_only_ || response.status == Status::not_modified;

  std::array<char, 20> room;
  const std::uint64_t body_now = bodiless ? 0 : std::min<std::uint64_t>(length, output_limit);
  out_.reserve(out_.size() + head_room + response.fields.size() + body_now);
  out_.append(status_line(response.status)).append("Date: ").append(settings_->date());
  if (response.status != Status::not_modified) {
    out_.append("\r\nContent-Type: ");
    out_.append(response.own_type.empty() ? response.type : std::string_view(response.own_type));
    out_.append("\r\nContent-Length: ").append(digits(length, room));
  }
  if (close)
    out_.append("\r\nConnection: close");
  else if (http_1_0_)
    out_.append("\r\nConnection: keep-alive");
  out_.append("\r\n").append(response.fields).append("\r\n");

  if (!bodiless) {
    if (const auto* own = std::get_if<0>(&response.body.data)) {
      out_.append(*own);
    } else if (const auto* shared = std::get_if<1>(&response.body.data)) {
      out_.append(**shared);
    } else {
      source_ = std::get<2>(std::move(response.body.data));
      source_left_ = length;
      fill();
    }
  }
  if (close && end_ == End::no) end_ = End::after_replies;
  linger_ |= close && keep_alive_;  // it is our wish alone: the next request may be on its way
  if (settings_->log != nullptr) {
    settings_->log({logged_, response.status, bodiless ? 0 : length});
    release(logged_);
  }
}

// Takes the next piece of the body that is being sent.
void Session::fill() {
  while (source_left_ > 0 && out_.size() < output_limit) {
    const std::size_t old = out_.size();
    const auto room =
        static_cast<std::size_t>(std::min<std::uint64_t>(source_left_, output_limit - old));
    out_.resize(old + room);
    const std::size_t n = source_->read({out_.data() + old, room});
    out_.resize(old + n);
    source_left_ -= n;
    if (n == 0) {  // the length is promised: only a broken connection can tell the client
      end_ = End::closed;
      return;
    }
  }
  if (source_left_ == 0) source_.reset();
}

std::span<const char> Session::pending() const noexcept {
  return {out_.data() + sent_, out_.size() - sent_};
}

void Session::sent(std::size_t n, Time now) {
  moved_ = now;
  sent_ += n;
  if (settings_->traffic != nullptr)
    settings_->traffic->bytes_out.fetch_add(n, std::memory_order_relaxed);
  if (sent_ < out_.size()) return;
  sent_ = 0;
  head_began_ = now;  // a request that came behind this one has had to wait for us
  if (source_) {
    out_.clear();
    fill();
  } else {
    release(out_);
  }
}

void Session::half_closed(Time now) {
  end_ = End::lingering;
  moved_ = now;
}

Time Session::deadline() const noexcept {
  switch (want()) {
    case Want::read:
      if (end_ == End::lingering) return moved_ + linger_time;
      if (parser_ && parser_->head_complete()) return moved_ + settings_->io_timeout;
      if (parser_ || !in_.empty()) return head_began_ + settings_->header_timeout;
      return moved_ + settings_->idle_timeout;
    case Want::write: return moved_ + settings_->io_timeout;
    case Want::wait: return later_ ? later_->due : Time::max();
    default: return Time::min();
  }
}

void Session::tick(Time now) {
  if (now < deadline()) return;
  switch (want()) {
    case Want::read:
      if (end_ == End::no && (parser_ || !in_.empty())) {
        moved_ = now;
        refuse({Status::request_timeout, "the request came in too slowly"});
      } else {
        end_ = End::closed;
      }
      break;
    case Want::wait:
      if (auto response = later_->poll(now)) {
        later_.reset();
        moved_ = now;
        reply(std::move(*response));
      } else {
        later_->due = now + later_->every;
      }
      break;
    case Want::write: end_ = End::closed; break;
    default: break;
  }
}

}  // namespace http
