#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "http/request.hh"
#include "http/settings.hh"
#include "http/status.hh"

namespace http {

// Why a request is refused. `reason` is for the client, and lives as long as the program.
struct Refusal {
  Status status;
  std::string_view reason;
};

// Reads one request, head and body, from bytes that come in any pieces (RFC 9112). Strict: what two
// readers could understand differently is refused (section 11.2, request smuggling).
class Parser {
 public:
  [[nodiscard]] static std::unique_ptr<Parser> make(const Settings& settings);
  virtual ~Parser() = default;

  // Takes what it can use from the front of `input` and returns how many bytes that was. The rest
  // belongs to the next request, or has to be offered again with more behind it.
  [[nodiscard]] virtual std::size_t take(std::string_view input) = 0;

  [[nodiscard]] bool head_complete() const { return head_complete_; }
  [[nodiscard]] bool complete() const { return complete_; }
  [[nodiscard]] const std::optional<Refusal>& refusal() const { return refusal_; }
  // The client waits for 100 before it sends the body (RFC 9110 section 10.1.1).
  [[nodiscard]] bool expects_continue() const { return head_complete_ && expects_continue_; }
  [[nodiscard]] Request& request() { return request_; }  // whole once complete()

 protected:
  Request request_;
  std::optional<Refusal> refusal_;
  bool head_complete_ = false;
  bool complete_ = false;
  bool expects_continue_ = false;
};

}  // namespace http
