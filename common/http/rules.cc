#include "http/rules.hh"

#include <algorithm>
#include <array>
#include <cctype>

namespace http {
namespace {

// The characters of a host and its port (RFC 3986 section 3.2.2), in brackets for IPv6.
constexpr std::array<bool, 256> host_characters = [] {
  std::array<bool, 256> table{};
  for (char c = 'a'; c <= 'z'; ++c) table[static_cast<unsigned char>(c)] = true;
  for (char c = 'A'; c <= 'Z'; ++c) table[static_cast<unsigned char>(c)] = true;
  for (char c = '0'; c <= '9'; ++c) table[static_cast<unsigned char>(c)] = true;
  for (const char c :
       {'-', '.', '_', '~', '%', '!', '$', '&', '\'', '(', ')', '*', '+', ';', '=', ':', '[', ']'})
    table[static_cast<unsigned char>(c)] = true;
  return table;
}();

}  // namespace

bool is_host(std::string_view value) {
  for (const char c : value)
    if (!host_characters[static_cast<unsigned char>(c)]) return false;
  const std::size_t end = value.starts_with('[') ? value.find(']') : value.find(':');
  if (end == std::string_view::npos) return !value.starts_with('[');
  const std::string_view port = value.substr(value[end] == ']' ? end + 1 : end);
  return port.empty() ||
         (port[0] == ':' && port.find_first_not_of("0123456789", 1) == std::string_view::npos);
}

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
  });
}

bool has_other_version(std::string_view head) {
  const std::string_view line = head.substr(0, head.find('\r'));
  if (line.size() < 9) return false;
  const std::string_view version = line.substr(line.size() - 9);
  return version.starts_with(" HTTP/") && std::isdigit(version[6]) != 0 && version[7] == '.' &&
         std::isdigit(version[8]) != 0 && !version.ends_with("1.0") && !version.ends_with("1.1");
}

}  // namespace http
