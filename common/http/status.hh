#pragma once

#include <string_view>

namespace http {

// The status codes that this service uses (RFC 9110 section 15).
enum class Status {
  ok = 200,
  partial_content = 206,
  not_modified = 304,
  bad_request = 400,
  not_found = 404,
  method_not_allowed = 405,
  request_timeout = 408,
  content_too_large = 413,
  uri_too_long = 414,
  range_not_satisfiable = 416,
  expectation_failed = 417,
  fields_too_large = 431,
  server_error = 500,
  not_implemented = 501,
  unavailable = 503,
  version_not_supported = 505,
};

// "HTTP/1.1 200 OK" and CRLF: how a reply begins.
[[nodiscard]] std::string_view status_line(Status status) noexcept;

// "200 OK": the code and its reason phrase, as the status line has them.
[[nodiscard]] std::string_view status_text(Status status) noexcept;

}  // namespace http
