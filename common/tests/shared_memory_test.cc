#include "app/shared_memory.hh"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <system_error>
#include <tuple>

#include "child.hh"

namespace {

TEST(SharedMemory, IsOneForAllProcesses) {
  const auto number = app::map_shared<std::atomic<int>>();
  EXPECT_EQ(number->load(), 0);
  tests::in_child([&] { *number += 7; });
  EXPECT_EQ(number->load(), 7);
}

TEST(SharedMemory, ThatCannotBeHadThrows) {
  using Enormous = std::array<std::atomic<char>, std::size_t{1} << 48>;
  EXPECT_THROW(std::ignore = app::map_shared<Enormous>(), std::system_error);
}

}  // namespace
