#pragma once

#include <ctime>
#include <optional>
#include <string>
#include <string_view>

namespace http {

// "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 section 5.6.7).
[[nodiscard]] std::string format_date(std::time_t when);

// Reads the three forms that section 5.6.7 has a recipient accept; nothing for any other text.
[[nodiscard]] std::optional<std::time_t> parse_date(std::string_view text);

// Today's Date line, made anew once a second and kept per thread. The view holds until this
// thread's next call.
[[nodiscard]] std::string_view current_date();

}  // namespace http
