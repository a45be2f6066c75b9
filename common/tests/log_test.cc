#include "server/log.hh"

#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "child.hh"

namespace {

TEST(Log, WritesALineToStandardError) {
  const auto outcome = tests::in_child([] { server::log("one line"); });
  EXPECT_EQ(outcome.err, "one line\n");
  EXPECT_EQ(outcome.out, "");
}

TEST(Log, KeepsTheLinesOfThreadsApart) {
  const auto outcome = tests::in_child([] {
    std::vector<std::jthread> threads;
    for (char c = 'a'; c < 'e'; ++c)
      threads.emplace_back([c] {
        for (int i = 0; i < 500; ++i) server::log(std::string(80, c));
      });
  });
  std::istringstream lines(outcome.err);
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count)
    ASSERT_EQ(line, std::string(80, line[0]));
  EXPECT_EQ(count, 4 * 500);
}

TEST(Log, DoesNotMindThatNobodyReads) {
  const auto outcome = tests::in_child([] {
    ::close(STDERR_FILENO);
    server::log("one line");
    std::cout << "still here";
  });
  EXPECT_EQ(outcome.out, "still here");
}

}  // namespace
