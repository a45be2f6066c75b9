#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace app {

struct Range {
  std::uint64_t first;
  std::uint64_t length;  // 0: nothing of the file lies in the range (416)
};

// Reads a Range field for a body of `size` bytes (RFC 9110 section 14.1.2): "bytes=0-99",
// "bytes=100-", "bytes=-50". Nothing for what a server may ignore: several ranges, another unit,
// a malformed one.
[[nodiscard]] std::optional<Range> parse_range(std::string_view field, std::uint64_t size);

}  // namespace app
