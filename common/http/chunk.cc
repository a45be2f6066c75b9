#include "http/chunk.hh"

namespace http {
namespace {

bool is_last_chunk(std::string_view line) {
  const std::size_t after_zeros = line.find_first_not_of('0');
  if (after_zeros == 0) return false;
  constexpr std::string_view hex = "123456789abcdefABCDEF";
  return after_zeros == std::string_view::npos ||
         hex.find(line[after_zeros]) == std::string_view::npos;
}

bool ends_in_quotes(std::string_view line) {
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '"') quoted = !quoted;
    if (quoted && line[i] == '\\') ++i;
  }
  return quoted;
}

}  // namespace

bool chunk_lines_are_malformed(std::string_view input) {
  if (input.starts_with("\r\n")) input.remove_prefix(2);
  for (bool first = true;; first = false) {
    const std::size_t lf = input.find('\n');
    if (lf == std::string_view::npos) return false;
    if (lf == 0 || input[lf - 1] != '\r') return true;
    const std::string_view line = input.substr(0, lf - 1);
    if (first && ends_in_quotes(line)) return true;
    if (first ? !is_last_chunk(line) : line.empty()) return false;
    input.remove_prefix(lf + 1);
  }
}

}  // namespace http
