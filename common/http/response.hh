#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "http/status.hh"
#include "http/time.hh"

namespace http {

// A body that is produced piece by piece while it is sent, so that a gigabyte needs no gigabyte.
class Source {
 public:
  Source() = default;
  virtual ~Source() = default;
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;

  // Fills the front of `into` and returns how many bytes; 0 when it cannot go on, which cuts the
  // connection off, because the length is already promised.
  [[nodiscard]] virtual std::size_t read(std::span<char> into) = 0;
};

// A body of known length: bytes of its own, bytes it shares (a cached file), or a source.
struct Body {
  std::variant<std::string, std::shared_ptr<const std::string>, std::unique_ptr<Source>> data;
  std::uint64_t length = 0;

  Body() = default;
  Body(std::string bytes) : data(std::move(bytes)) { length = std::get<0>(data).size(); }
  Body(std::shared_ptr<const std::string> bytes) : data(std::move(bytes)) {
    length = std::get<1>(data)->size();
  }
  Body(std::unique_ptr<Source> source, std::uint64_t n) : data(std::move(source)), length(n) {}
};

struct Response {
  Status status = Status::ok;
  std::string_view type = "text/plain";  // must outlive the response, unless `own_type` is used
  Body body{};
  std::string own_type{};  // instead of `type`, when the type was made at run time
  std::string fields{};    // further header lines, each ended by CRLF
};

[[nodiscard]] inline Response plain_text(Status status, std::string words) {
  return {status, "text/plain", std::move(words)};
}

// An answer that is not there yet: `poll` is asked at `due`, and again `every` so often until it
// answers. Nobody waits for it, so a connection can sleep without a thread that sleeps.
struct Later {
  Time due;
  Duration every;
  std::function<std::optional<Response>(Time now)> poll;
};

using Answer = std::variant<Response, std::unique_ptr<Later>>;

}  // namespace http
