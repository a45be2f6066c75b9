#include "http/parser.hh"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace {

using http::Field;
using http::Method;
using http::Parser;

class ParserTest : public testing::Test {
 protected:
  http::Settings settings;
  std::unique_ptr<Parser> parser = Parser::make(settings);
};

TEST_F(ParserTest, ReadsAllThatTheServiceLooksAt) {
  const std::string bytes =
      "PUT http://lab/echo?a=b HTTP/1.0\r\nConnection: keep-alive\r\nCONTENT-TYPE: text/x; y=z \r\n"
      "range:bytes=0-1\r\nIf-Range: \"tag\"\r\nIf-Modified-Since:\tyesterday\r\nContent-Length: "
      "2\r\n\r\nok";
  EXPECT_EQ(parser->take(bytes), bytes.size());
  ASSERT_TRUE(parser->complete());
  const http::Request& request = parser->request();
  EXPECT_EQ(request.method, Method::put);
  EXPECT_TRUE(request.http_1_0);
  EXPECT_TRUE(request.keep_alive);
  EXPECT_EQ(request.target, "/echo?a=b");
  EXPECT_EQ(request.field(Field::content_type), "text/x; y=z");
  EXPECT_EQ(request.field(Field::range), "bytes=0-1");
  EXPECT_EQ(request.field(Field::if_range), "\"tag\"");
  EXPECT_EQ(request.field(Field::if_modified_since), "yesterday");
  EXPECT_EQ(request.body, "ok");
}

TEST_F(ParserTest, LeavesTheNextRequestAlone) {
  const std::string first = "GET /a HTTP/1.1\r\nHost: lab\r\n\r\n";
  EXPECT_EQ(parser->take(first + "GET /b HTTP/1.1\r\n"), first.size());
  EXPECT_TRUE(parser->complete());
}

TEST_F(ParserTest, TakesNothingOfAHeadUntilItIsWhole) {
  const std::string head = "POST /a HTTP/1.1\r\nHost: lab\r\nContent-Length: 5\r\n\r\n";
  for (std::size_t n = 0; n < head.size(); ++n) ASSERT_EQ(parser->take(head.substr(0, n)), 0U);
  EXPECT_FALSE(parser->head_complete());
  EXPECT_EQ(parser->take(head), head.size());
  EXPECT_TRUE(parser->head_complete());
  EXPECT_FALSE(parser->complete());
}

TEST_F(ParserTest, TakesABodyAsItComes) {
  const std::string head = "POST /a HTTP/1.1\r\nHost: lab\r\nContent-Length: 5\r\n\r\n";
  EXPECT_EQ(parser->take(head + "he"), head.size() + 2);
  EXPECT_EQ(parser->take("l"), 1U);
  EXPECT_EQ(parser->take("lo" + head), 2U);
  EXPECT_TRUE(parser->complete());
  EXPECT_EQ(parser->request().body, "hello");
}

TEST_F(ParserTest, SaysWhetherTheClientWaitsForThe100) {
  const std::string head =
      "POST /a HTTP/1.1\r\nHost: lab\r\nExpect: 100-continue\r\nContent-Length: 5\r\n";
  EXPECT_EQ(parser->take(head), 0U);
  EXPECT_FALSE(parser->expects_continue()) << "not before the head is whole";
  EXPECT_EQ(parser->take(head + "\r\n"), head.size() + 2);
  EXPECT_TRUE(parser->expects_continue());
}

TEST_F(ParserTest, SaysWhyItRefuses) {
  EXPECT_EQ(parser->take("GET /a HTTP/1.1\r\n\r\n"), 19U);
  ASSERT_TRUE(parser->refusal());
  EXPECT_EQ(parser->refusal()->status, http::Status::bad_request);
  EXPECT_EQ(parser->refusal()->reason, "a request has exactly one Host");
  EXPECT_FALSE(parser->complete());
}

}  // namespace
