#include "http/rules.hh"

#include <gtest/gtest.h>

namespace {

TEST(Host, IsANameOrAnAddressAndPerhapsAPort) {
  for (const char* host : {"", "a", "example.org", "example.org:80", "127.0.0.1:8080", "[::1]",
                           "[::1]:8080", "a:", "under_score"})
    EXPECT_TRUE(http::is_host(host)) << host;
}

TEST(Host, IsNothingElse) {
  for (const char* text : {"a b", "a,b", "a/b", "user@a", "a:b:c", "a:http", "[::1", "[::1]x",
                           "<a>", "a?", "a#", "a\"b"})
    EXPECT_FALSE(http::is_host(text)) << text;
}

TEST(Control, IsAnythingBelowTheBlankButTheTabulator) {
  EXPECT_FALSE(http::has_control("plain \t text"));
  EXPECT_TRUE(http::has_control("a\nb"));
  EXPECT_TRUE(http::has_control(std::string_view("a\0b", 3)));
  EXPECT_TRUE(http::has_control("a\x7f"));
}

TEST(OtherVersion, HasTheFormOfAVersionAndIsNotOneOfOurs) {
  EXPECT_TRUE(http::has_other_version("GET / HTTP/2.0\r\n"));
  EXPECT_TRUE(http::has_other_version("GET / HTTP/0.9\r\n"));
  EXPECT_FALSE(http::has_other_version("GET / HTTP/1.1\r\n"));
  EXPECT_FALSE(http::has_other_version("GET / HTTP/x.y\r\n"));
  EXPECT_FALSE(http::has_other_version("GET /\r\n"));
}

}  // namespace
