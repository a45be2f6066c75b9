#include "http/head.hh"

#include <algorithm>

namespace http {
namespace {

// A request line has a method and a version around its target: room for the longest of both.
constexpr std::size_t max_first_line = Settings::max_target + 64;

constexpr Refusal bare_lf{Status::bad_request,
                          "a line of the head ends in a bare LF; lines end in CRLF"};
constexpr Refusal folded{Status::bad_request,
                         "a line of the head starts with white space; folded lines are obsolete"};
constexpr Refusal long_target{Status::uri_too_long, "the request target is longer than 8 KiB"};
constexpr Refusal long_head{Status::fields_too_large, "the head is longer than 16 KiB"};

}  // namespace

std::optional<std::size_t> HeadScanner::scan(std::string_view input) {
  const std::string_view head = input.substr(0, Settings::max_head);
  while (!refusal_) {
    const std::size_t lf = head.find('\n', looked_);
    const std::size_t line_end = std::min(lf, head.size());
    if (line_ == 0 && line_end > max_first_line) {
      refusal_ = long_target;
    } else if (lf == std::string_view::npos) {
      looked_ = head.size();
      if (head.size() == Settings::max_head) refusal_ = long_head;
      break;
    } else if (lf == line_ || head[lf - 1] != '\r') {
      refusal_ = bare_lf;
    } else if (head[line_] == ' ' || head[line_] == '\t') {
      refusal_ = folded;
    } else if (lf == line_ + 1) {
      return lf + 1;
    }
    line_ = looked_ = lf + 1;
  }
  return std::nullopt;
}

}  // namespace http
