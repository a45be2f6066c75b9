#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "http/parser.hh"

namespace http {

// Finds where a request's head ends, line by line, however its bytes are split, and refuses what
// may not stand in a head whatever the lines mean: bare LF, folded lines, too many bytes.
class HeadScanner {
 public:
  // `input` starts with the head and has grown since the last call, or is the same.
  // Returns the head's length with its empty line, or nothing while it is incomplete.
  [[nodiscard]] std::optional<std::size_t> scan(std::string_view input);

  [[nodiscard]] const std::optional<Refusal>& refusal() const { return refusal_; }

 private:
  std::size_t line_ = 0;    // where the line begins that is not yet whole
  std::size_t looked_ = 0;  // bytes that need not be looked at again
  std::optional<Refusal> refusal_;
};

}  // namespace http
