#include "app/rendezvous.hh"

#include <chrono>

namespace app {
namespace {

std::int64_t nanoseconds(http::Time time) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
}

constexpr std::int64_t presumed_dead = 1'000'000'000;  // ns without a look

}  // namespace

Rendezvous::Rendezvous(Shared& shared, std::uint32_t party, http::Time now)
    : shared_(shared), party_(party) {
  for (auto& place : shared_.guests) {
    const std::uint64_t was = place.party.load();
    const bool dead = was != 0 && nanoseconds(now) - place.seen.load() > 60 * presumed_dead;
    if (was != 0 && !dead) continue;
    place.seen.store(nanoseconds(now));
    std::uint64_t expected = was;
    if (!place.party.compare_exchange_strong(expected, party_)) continue;
    guest_ = &place;
    break;
  }
  count(now);
}

Rendezvous::~Rendezvous() {
  if (guest_ != nullptr) guest_->party.store(0);
}

// Counts who waits for the same party; if that is enough, all of them have met. Two who arrive at
// the same moment are both counted by at least one of them.
void Rendezvous::count(http::Time now) {
  std::uint64_t inside = 0;
  for (const auto& guest : shared_.guests)
    if (guest.party.load() == party_ && nanoseconds(now) - guest.seen.load() < presumed_dead)
      ++inside;
  if (inside < party_) return;
  for (auto& guest : shared_.guests) {
    std::uint64_t waiting = party_;
    guest.party.compare_exchange_strong(waiting, party_ | met_bit);
  }
}

bool Rendezvous::met(http::Time now) {
  if (guest_ == nullptr) return false;
  // Whoever has not looked for so long was not counted by those who came meanwhile.
  const bool was_away = nanoseconds(now) - guest_->seen.load() > presumed_dead;
  guest_->seen.store(nanoseconds(now));
  if (was_away) count(now);
  return (guest_->party.load() & met_bit) != 0;
}

}  // namespace app
