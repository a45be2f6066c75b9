#pragma once

#include <cstddef>
#include <cstdint>

#include "app/shared.hh"
#include "http/time.hh"

namespace app {

// One request's stay in /rendezvous: it meets as soon as `party` requests that ask for the same
// number are inside the server at once, in whatever threads and processes. Nobody is woken, each
// looks now and then; a request whose process died is no longer counted after a second.
class Rendezvous {
 public:
  Rendezvous(Shared& shared, std::uint32_t party, http::Time now);  // arrives
  ~Rendezvous();                                                    // leaves
  Rendezvous(const Rendezvous&) = delete;
  Rendezvous& operator=(const Rendezvous&) = delete;

  [[nodiscard]] bool met(http::Time now);

 private:
  static constexpr std::uint64_t met_bit = std::uint64_t{1} << 32;

  void count(http::Time now);

  Shared& shared_;
  std::uint64_t party_;
  Shared::Guest* guest_ = nullptr;  // none: the house is full
};

}  // namespace app
