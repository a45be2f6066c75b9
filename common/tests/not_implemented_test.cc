#include "lab/not_implemented.hh"

#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>

#include "child.hh"

namespace {

TEST(NotImplemented, SaysWhatAndEndsWithItsStatus) {
  const auto outcome = tests::in_child([] {
    lab::not_implemented("lab 04: advance()", "answer, then send");
    return 0;
  });
  EXPECT_EQ(outcome.exit_status(), 70);
  EXPECT_EQ(outcome.err, "not implemented: lab 04: advance() (hint: answer, then send)\n");
  EXPECT_EQ(outcome.out, "");
}

TEST(NotImplemented, RunsNothingElseOnTheWayOut) {
  const auto outcome = tests::in_child([] {
    std::cout << "kept in a buffer";
    std::atexit([] { ::_exit(1); });
    lab::not_implemented("x", "y");
    return 0;
  });
  EXPECT_EQ(outcome.exit_status(), 70);
  EXPECT_EQ(outcome.out, "");
}

TEST(NotImplemented, EndsAlsoWhenNobodyListens) {
  const auto outcome = tests::in_child([] {
    ::close(STDERR_FILENO);
    lab::not_implemented("x", "y");
    return 0;
  });
  EXPECT_EQ(outcome.exit_status(), 70);
}

}  // namespace
