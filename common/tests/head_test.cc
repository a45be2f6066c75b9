#include "http/head.hh"

#include <gtest/gtest.h>

#include <string>

namespace {

using http::HeadScanner;
using http::Status;

const std::string head = "GET / HTTP/1.1\r\nHost: lab\r\n\r\n";

TEST(HeadScanner, FindsTheEmptyLine) {
  HeadScanner scanner;
  EXPECT_EQ(scanner.scan(head), head.size());
  EXPECT_EQ(HeadScanner().scan(head + "and a body\r\n\r\n"), head.size());
}

TEST(HeadScanner, FindsItWhenItComesByteByByte) {
  HeadScanner scanner;
  for (std::size_t n = 0; n < head.size(); ++n)
    ASSERT_FALSE(scanner.scan(head.substr(0, n))) << "after " << n << " bytes";
  EXPECT_EQ(scanner.scan(head), head.size());
  EXPECT_FALSE(scanner.refusal());
}

TEST(HeadScanner, MayBeAskedAgainWithTheSameBytes) {
  HeadScanner scanner;
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(scanner.scan(head.substr(0, 20)));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(scanner.scan(head), head.size());
}

Status refused(const std::string& bytes) {
  HeadScanner scanner;
  EXPECT_FALSE(scanner.scan(bytes));
  return scanner.refusal() ? scanner.refusal()->status : Status::ok;
}

TEST(HeadScanner, RefusesALineAsSoonAsItIsThere) {
  EXPECT_EQ(refused("GET / HTTP/1.1\n"), Status::bad_request);
  EXPECT_EQ(refused("GET / HTTP/1.1\r\n\n"), Status::bad_request);
  EXPECT_EQ(refused("GET / HTTP/1.1\r\nX: 1\r\n 2\r\n"), Status::bad_request);
  EXPECT_EQ(refused("GET / HTTP/1.1\r\nX: 1\r\n\t2\r\n"), Status::bad_request);
}

TEST(HeadScanner, RefusesALineThatIsTooLongBeforeItsEnd) {
  EXPECT_EQ(refused("GET /" + std::string(9 * 1024, 'a')), Status::uri_too_long);
  EXPECT_EQ(refused("GET / HTTP/1.1\r\nX: " + std::string(16 * 1024, 'a')),
            Status::fields_too_large);
}

TEST(HeadScanner, StaysWithItsRefusal) {
  HeadScanner scanner;
  EXPECT_FALSE(scanner.scan("\n"));
  EXPECT_FALSE(scanner.scan("\n" + head));
  EXPECT_EQ(scanner.refusal()->status, Status::bad_request);
}

}  // namespace
