#pragma once

#include <string_view>

namespace http {

// Whether the lines that `input` begins with can no longer become a chunk's header, or the last
// chunk's and its trailer, whatever follows (RFC 9112 section 7.1): a line ends in a bare LF, or
// in the middle of a quoted string. The CRLF that ends the chunk before may stand in front.
[[nodiscard]] bool chunk_lines_are_malformed(std::string_view input);

}  // namespace http
