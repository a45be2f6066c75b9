#pragma once

#include <string_view>

namespace http {

// What HTTP/1.1 says of single pieces of text, and Beast's parser does not look at.

// A Host field's value: a name, an IPv4 address or an IPv6 address in brackets, and perhaps a port
// (RFC 9110 section 7.2, RFC 3986 section 3.2.2). It may be empty.
[[nodiscard]] bool is_host(std::string_view value);

// Control characters other than HTAB (RFC 9110 section 5.5).
[[nodiscard]] bool has_control(std::string_view text);

// Whether the first line of `head` ends in a version of the right form that is not 1.0 or 1.1.
[[nodiscard]] bool has_other_version(std::string_view head);

}  // namespace http
