#pragma once

#include <unistd.h>

#include <utility>

namespace net {

// Owns one file descriptor and closes it exactly once. It can be moved, not copied: with one
// owner a descriptor is neither leaked nor closed twice (the second close(2) would hit whoever
// was given the same number in between).
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) noexcept : fd_(fd) {}
  ~Fd() { reset(); }

  Fd(Fd&& other) noexcept : fd_(other.release()) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) reset(other.release());
    return *this;
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;

  [[nodiscard]] int get() const noexcept { return fd_; }  // -1: none
  [[nodiscard]] bool is_open() const noexcept { return fd_ >= 0; }
  [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }  // the caller closes it

  // Closes what it owns, then owns `fd`. On Linux a failed close(2) has closed the descriptor all
  // the same, so there is nothing to try again.
  void reset(int fd = -1) noexcept {
    const int old = std::exchange(fd_, fd);
    if (old >= 0) ::close(old);
  }

 private:
  int fd_ = -1;
};

}  // namespace net
