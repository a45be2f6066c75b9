#include "net/error.hh"

#include <fcntl.h>
#include <gtest/gtest.h>

namespace {

TEST(Checked, PassesAResultOn) { EXPECT_EQ(net::checked(7, "call"), 7); }

TEST(Checked, ThrowsWhatTheCallSaid) {
  try {
    net::checked(::open("/nonexistent", O_RDONLY | O_CLOEXEC), "open /nonexistent");
    FAIL() << "nothing was thrown";
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code(), std::errc::no_such_file_or_directory);
    EXPECT_STREQ(error.what(), "open /nonexistent: No such file or directory");
  }
}

}  // namespace
