#include "net/fd.hh"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>

#include <cerrno>
#include <optional>
#include <type_traits>
#include <utility>

namespace {

using net::Fd;

Fd make() { return Fd(::eventfd(0, EFD_CLOEXEC)); }

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) != -1 || errno != EBADF; }

TEST(Fd, OwnsNothingAtFirst) {
  const Fd fd;
  EXPECT_FALSE(fd.is_open());
  EXPECT_EQ(fd.get(), -1);
}

TEST(Fd, IsNotOpenWhenItsCallHasFailed) {
  const Fd fd(::open("/nonexistent", O_RDONLY | O_CLOEXEC));
  EXPECT_FALSE(fd.is_open());
}

TEST(Fd, ClosesWhatItOwnsWhenItGoes) {
  std::optional<Fd> fd = make();
  const int number = fd->get();
  EXPECT_TRUE(fd->is_open());
  EXPECT_TRUE(is_open(number));
  fd.reset();
  EXPECT_FALSE(is_open(number));
}

TEST(Fd, ClosesOnce) {
  Fd fd = make();
  const int number = fd.get();
  fd.reset();
  const Fd tenant = make();  // the kernel gives out the lowest free number
  ASSERT_EQ(tenant.get(), number);
  fd.reset();
  fd = Fd();
  EXPECT_TRUE(is_open(number)) << "that was somebody else's";
}

TEST(Fd, MovesItsDescriptorToANewOwner) {
  Fd from = make();
  const int number = from.get();
  {
    const Fd to = std::move(from);
    EXPECT_EQ(to.get(), number);
    EXPECT_FALSE(from.is_open());
    EXPECT_TRUE(is_open(number));
  }
  EXPECT_FALSE(is_open(number));
}

TEST(Fd, ClosesWhatItOwnedWhenItIsGivenAnother) {
  Fd from = make();
  Fd to = make();
  const int kept = from.get();
  const int dropped = to.get();
  to = std::move(from);
  EXPECT_EQ(to.get(), kept);
  EXPECT_TRUE(is_open(kept));
  EXPECT_FALSE(is_open(dropped));
}

TEST(Fd, SurvivesBeingMovedToItself) {
  Fd fd = make();
  const int number = fd.get();
  Fd& same = fd;
  fd = std::move(same);
  EXPECT_EQ(fd.get(), number);
  EXPECT_TRUE(is_open(number));
}

TEST(Fd, LeavesClosingToWhomItReleasesTo) {
  int number = -1;
  {
    Fd fd = make();
    number = fd.release();
    EXPECT_FALSE(fd.is_open());
  }
  EXPECT_TRUE(is_open(number));
  EXPECT_EQ(::close(number), 0);
}

TEST(Fd, ClosesTheOldBeforeItOwnsTheNew) {
  Fd fd = make();
  const int old = fd.get();
  const int next = make().release();
  fd.reset(next);
  EXPECT_EQ(fd.get(), next);
  EXPECT_FALSE(is_open(old));
}

TEST(Fd, CannotBeCopied) {
  static_assert(!std::is_copy_constructible_v<Fd> && !std::is_copy_assignable_v<Fd>);
  static_assert(!std::is_convertible_v<int, Fd>, "owning must be said aloud");
  static_assert(std::is_nothrow_move_constructible_v<Fd> && std::is_nothrow_move_assignable_v<Fd>);
}

}  // namespace
