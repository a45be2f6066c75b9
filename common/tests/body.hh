#pragma once

#include <algorithm>
#include <memory>
#include <span>
#include <string>
#include <variant>

#include "http/response.hh"

namespace tests {

// The bytes of a response's body, wherever they come from. A source gives `piece` bytes at a time.
inline std::string body_of(http::Response& response, std::size_t piece = 10'000) {
  if (const auto* own = std::get_if<0>(&response.body.data)) return *own;
  if (const auto* shared = std::get_if<1>(&response.body.data)) return **shared;
  auto& source = *std::get<2>(response.body.data);
  std::string all(response.body.length, '\0');
  std::size_t have = 0;
  while (have < all.size()) {
    const std::size_t n =
        source.read(std::span(all).subspan(have, std::min(piece, all.size() - have)));
    if (n == 0) return "the source ended after " + std::to_string(have) + " bytes";
    have += n;
  }
  return all;
}

}  // namespace tests
