#include "http/request.hh"

#include <gtest/gtest.h>

namespace {

http::Request with_target(const char* target) {
  http::Request request;
  request.target = target;
  return request;
}

TEST(Request, SplitsItsTargetAtTheFirstQuestionMark) {
  EXPECT_EQ(with_target("/a/b").path(), "/a/b");
  EXPECT_EQ(with_target("/a/b").query(), "");
  EXPECT_EQ(with_target("/a?").path(), "/a");
  EXPECT_EQ(with_target("/a?").query(), "");
  EXPECT_EQ(with_target("/a?b=c?d&e").path(), "/a");
  EXPECT_EQ(with_target("/a?b=c?d&e").query(), "b=c?d&e");
}

TEST(Method, IsSaidAsItIsWritten) {
  using http::Method;
  EXPECT_EQ(method_text(Method::get), "GET");
  EXPECT_EQ(method_text(Method::head), "HEAD");
  EXPECT_EQ(method_text(Method::post), "POST");
  EXPECT_EQ(method_text(Method::put), "PUT");
  EXPECT_EQ(method_text(Method::patch), "PATCH");
  EXPECT_EQ(method_text(Method::del), "DELETE");
  EXPECT_EQ(method_text(Method::options), "OPTIONS");
  EXPECT_EQ(method_text(Method::trace), "TRACE");
  EXPECT_EQ(method_text(Method::connect), "CONNECT");
}

}  // namespace
