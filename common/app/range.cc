#include "app/range.hh"

#include <algorithm>
#include <charconv>

namespace app {
namespace {

// A whole decimal number; what is larger than 64 bits counts as the largest.
std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || end != text.data() + text.size()) return std::nullopt;
  if (error == std::errc::result_out_of_range) return UINT64_MAX;
  return error == std::errc{} ? std::optional(value) : std::nullopt;
}

}  // namespace

std::optional<Range> parse_range(std::string_view field, std::uint64_t size) {
  constexpr std::string_view unit = "bytes=";
  if (!field.starts_with(unit)) return std::nullopt;
  field.remove_prefix(unit.size());
  const std::size_t dash = field.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const std::string_view from = field.substr(0, dash);
  const std::string_view to = field.substr(dash + 1);

  if (from.empty()) {  // the last so many bytes
    const auto count = number(to);
    if (!count) return std::nullopt;
    const std::uint64_t length = std::min(*count, size);
    return Range{size - length, length};
  }
  const auto first = number(from);
  const auto last = to.empty() ? std::optional(UINT64_MAX) : number(to);
  if (!first || !last || *last < *first) return std::nullopt;
  if (*first >= size) return Range{0, 0};
  return Range{*first, std::min(*last, size - 1) - *first + 1};
}

}  // namespace app
