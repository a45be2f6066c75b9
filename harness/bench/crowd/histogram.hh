#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace crowd {

// Counts values in slots that are 1/128 of their octave wide: any percentile is known to within
// 0.4 %, in fixed memory, however many values there are (the idea is HdrHistogram's).
class Histogram {
 public:
  void record(std::uint64_t value) noexcept {
    ++counts_[slot(value)];
    ++total_;
    max_ = std::max(max_, value);
  }

  [[nodiscard]] std::uint64_t total() const noexcept { return total_; }
  [[nodiscard]] std::uint64_t max() const noexcept { return max_; }  // exact

  // The value that `share` (0 to 1) of all values do not exceed; 0 when there are none.
  [[nodiscard]] std::uint64_t percentile(double share) const noexcept {
    const auto rank = static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(total_)));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (seen > 0 && seen >= rank) return std::min(middle(i), max_);
    }
    return 0;
  }

 private:
  static constexpr std::size_t steps = 128;  // slots in an octave
  static constexpr int step_bits = std::bit_width(steps);

  // Values below two times `steps` have a slot each; above, an octave's slots are twice as wide as
  // those of the octave below.
  static constexpr std::size_t slot(std::uint64_t value) noexcept {
    const int octave = std::max(0, static_cast<int>(std::bit_width(value)) - step_bits);
    return static_cast<std::size_t>(octave) * steps + static_cast<std::size_t>(value >> octave);
  }
  static constexpr std::uint64_t middle(std::size_t slot) noexcept {
    const std::size_t octave = slot < 2 * steps ? 0 : slot / steps - 1;
    return (std::uint64_t{slot - octave * steps} << octave) + ((std::uint64_t{1} << octave) / 2);
  }

  std::array<std::uint64_t, (64 - step_bits + 2) * steps> counts_{};
  std::uint64_t total_ = 0;
  std::uint64_t max_ = 0;
};

}  // namespace crowd
