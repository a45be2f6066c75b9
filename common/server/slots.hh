#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

namespace server {

// A table of connections whose ids can be given to the kernel and come back late. An id is the
// slot's number and its generation; the generation changes when the slot is emptied, so an event
// for a connection that is gone finds nothing, even when its slot has a new tenant.
template <typename T>
class Slots {
 public:
  using Id = std::uint64_t;  // generation << 32 | slot

  // The element stays where it is until it is erased.
  Id insert(T value) {
    if (free_.empty()) {
      free_.push_back(static_cast<std::uint32_t>(slots_.size()));
      slots_.emplace_back();
    }
    const std::uint32_t index = free_.back();
    slots_[index].tenant.emplace(std::move(value));
    free_.pop_back();
    ++size_;
    return id_of(index);
  }

  [[nodiscard]] T* find(Id id) noexcept {  // nullptr: gone
    const auto index = static_cast<std::uint32_t>(id);
    if (index >= slots_.size() || id_of(index) != id || !slots_[index].tenant) return nullptr;
    return &*slots_[index].tenant;
  }

  [[nodiscard]] T& at(Id id) noexcept { return *find(id); }  // for one that is known to be here

  void erase(Id id) noexcept {
    if (find(id) == nullptr) return;
    const auto index = static_cast<std::uint32_t>(id);
    slots_[index].tenant.reset();
    ++slots_[index].generation;
    free_.push_back(index);
    --size_;
  }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }

  // The ids of all that are here, for a walk during which elements may go.
  [[nodiscard]] std::vector<Id> ids() const {
    std::vector<Id> all;
    for (std::uint32_t index = 0; index < slots_.size(); ++index)
      if (slots_[index].tenant) all.push_back(id_of(index));
    return all;
  }

 private:
  struct Slot {
    std::uint32_t generation = 0;
    std::optional<T> tenant;
  };

  [[nodiscard]] Id id_of(std::uint32_t index) const noexcept {
    return Id{slots_[index].generation} << 32 | index;
  }

  std::deque<Slot> slots_;  // a deque: growing moves nobody
  std::vector<std::uint32_t> free_;
  std::size_t size_ = 0;
};

}  // namespace server
