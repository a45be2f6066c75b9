#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <string>
#include <string_view>
#include <system_error>

namespace crowd {

// What is sent in one go, and what must come back: replies of one length, all with status 200.
struct Exchange {
  std::string text;             // one or more requests
  std::size_t reply_bytes = 0;  // of one reply, head and body; 0: the first reply will tell
  std::size_t replies = 1;
  bool last = false;  // each says "Connection: close"
  bool slow = false;  // it is known to take its time, and is counted apart

  [[nodiscard]] std::size_t bytes() const noexcept { return replies * reply_bytes; }

  // Whether this one does for `wanted`, too.
  [[nodiscard]] bool same_as(const Exchange& wanted) const noexcept {
    return text == wanted.text && replies == wanted.replies && last == wanted.last &&
           slow == wanted.slow && (wanted.reply_bytes == 0 || wanted.reply_bytes == reply_bytes);
  }

  // Whether a piece of the answer, `position` bytes behind its beginning, has the right status
  // line wherever a reply begins in it. Replies may come in any pieces.
  [[nodiscard]] bool agrees(std::size_t position, std::string_view piece) const noexcept {
    while (!piece.empty()) {
      const std::size_t offset = position % reply_bytes;
      if (offset < status.size() && !begins_right(piece, offset)) return false;
      const std::size_t rest = std::min(reply_bytes - offset, piece.size());
      position += rest;
      piece.remove_prefix(rest);
    }
    return true;
  }

  // The same for one reply, from its byte `offset` on, as far as there is something to compare.
  static bool begins_right(std::string_view piece, std::size_t offset = 0) noexcept {
    const std::string_view expected = status.substr(offset, piece.size());
    return piece.substr(0, expected.size()) == expected;
  }

 private:
  static constexpr std::string_view status = "HTTP/1.1 200 ";
};

inline bool has_head(std::string_view input) { return input.find("\r\n\r\n") != input.npos; }

// The length of the reply that begins with `input`, by its Content-Length; 0 while its head is not
// complete, or without that field. For the first reply only: the others are as long.
inline std::size_t reply_size(std::string_view input) {
  std::string head(input.substr(0, input.find("\r\n\r\n")));
  if (head.size() == input.size()) return 0;
  for (char& c : head) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  constexpr std::string_view name = "\r\ncontent-length:";
  const auto field = head.find(name);
  if (field == head.npos) return 0;
  const char* digits = head.data() + field + name.size();
  const char* const end = head.data() + head.size();
  while (digits < end && *digits == ' ') ++digits;
  std::size_t body = 0;
  if (std::from_chars(digits, end, body).ec != std::errc{}) return 0;
  return head.size() + 4 + body;
}

}  // namespace crowd
