#pragma once

#include <sys/mman.h>

#include <cerrno>
#include <memory>
#include <new>
#include <system_error>

namespace app {

// A T that this process and all it forks later have in common. It is made of atomics: whoever
// shares it may die at any time, and a lock would die with its holder.
template <typename T>
struct Unmap {
  void operator()(T* shared) const noexcept { ::munmap(shared, sizeof(T)); }
};
template <typename T>
using SharedMemory = std::unique_ptr<T, Unmap<T>>;

// Throws std::system_error when mmap(2) fails.
template <typename T>
[[nodiscard]] SharedMemory<T> map_shared() {
  void* memory =
      ::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
  return SharedMemory<T>(new (memory) T);
}

}  // namespace app
