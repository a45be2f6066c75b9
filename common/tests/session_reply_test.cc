// How answers become bytes: their heads, answers that come later, the access log, the counters.

#include <gtest/gtest.h>

#include <vector>

#include "talk.hh"

namespace tests {
namespace {

TEST(Reply, HasItsOwnTypeAndItsFurtherFields) {
  Talk talk;
  talk.session.received(get("/a"), talk.now);
  ASSERT_TRUE(talk.session.next_request());
  http::Response response;
  response.status = http::Status::method_not_allowed;
  response.own_type = "text/made-up";
  response.fields = "Allow: PUT\r\n";
  response.body = std::string("no");
  talk.session.respond(std::move(response));
  EXPECT_EQ(talk.read(),
            "HTTP/1.1 405 Method Not Allowed\r\n"
            "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
            "Content-Type: text/made-up\r\n"
            "Content-Length: 2\r\n"
            "Allow: PUT\r\n"
            "\r\n"
            "no");
}

TEST(Reply, OfNotModifiedHasNoBodyAndPromisesNone) {
  Talk talk;
  talk.session.received(get("/a"), talk.now);
  ASSERT_TRUE(talk.session.next_request());
  http::Response response;
  response.status = http::Status::not_modified;
  response.fields = "Accept-Ranges: bytes\r\n";
  talk.session.respond(std::move(response));
  EXPECT_EQ(talk.read(),
            "HTTP/1.1 304 Not Modified\r\n"
            "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
            "Accept-Ranges: bytes\r\n"
            "\r\n");
}

TEST(Reply, CanShareItsBodyWithOthers) {
  Talk talk;
  const auto shared = std::make_shared<const std::string>("ours");
  talk.session.received(get("/a"), talk.now);
  ASSERT_TRUE(talk.session.next_request());
  http::Response response;
  response.body = http::Body(shared);
  talk.session.respond(std::move(response));
  EXPECT_EQ(talk.read(), ok("ours"));
  EXPECT_EQ(shared.use_count(), 1);
}

TEST(Reply, MayComeFromAnyPlaceAtAnyTimeAndHoldsBackTheNextRequest) {
  Talk talk;
  talk.session.received(get("/1") + get("/2"), talk.now);
  const auto first = talk.session.next_request();
  ASSERT_TRUE(first);
  EXPECT_FALSE(talk.session.next_request()) << "one at a time, so that replies keep their order";
  EXPECT_EQ(talk.session.want(), Want::wait);
  EXPECT_EQ(talk.session.deadline(), Time::max()) << "nothing to be waited for but respond()";

  talk.session.respond(answer(*first, talk.now));
  talk.serve();
  EXPECT_EQ(talk.read(), ok("GET /1") + ok("GET /2"));
}

TEST(LaterReply, ComesWhenItIsDueAndNotBefore) {
  Talk talk;
  EXPECT_EQ(talk.say(get("/later")), "");
  EXPECT_EQ(talk.session.want(), Want::wait);
  EXPECT_EQ(talk.session.deadline(), talk.now + 1s);
  talk.pass(999ms);
  EXPECT_EQ(talk.session.want(), Want::wait);
  talk.pass(1ms);
  EXPECT_EQ(talk.read(), ok("GET /later"));
  EXPECT_TRUE(talk.session.idle());
}

TEST(LaterReply, KeepsItsPlaceAmongPipelinedRequests) {
  Talk talk;
  EXPECT_EQ(talk.say(get("/1") + get("/later") + get("/2")), ok("GET /1"));
  talk.pass(1s);
  EXPECT_EQ(talk.read(), ok("GET /later") + ok("GET /2"));
}

TEST(LaterReply, IsAskedForAgainAsOftenAsItWishes) {
  Talk talk;
  talk.session.received(get("/a"), talk.now);
  ASSERT_TRUE(talk.session.next_request());
  std::vector<Time> asked;
  auto poll = [&asked](Time now) -> std::optional<http::Response> {
    asked.push_back(now);
    if (asked.size() < 3) return std::nullopt;
    http::Response response;
    response.body = std::string("at last");
    return response;
  };
  talk.session.respond(std::make_unique<http::Later>(http::Later{start, 5ms, poll}));
  talk.pass(0ms);
  EXPECT_EQ(talk.session.deadline(), start + 5ms);
  talk.pass(5ms);
  talk.pass(4ms);
  talk.pass(1ms);
  EXPECT_EQ(asked, (std::vector<Time>{start, start + 5ms, start + 10ms}));
  EXPECT_EQ(talk.read(), ok("at last"));
}

std::vector<std::string> log_lines;

http::Settings logging() {
  http::Settings how = settings();
  log_lines.clear();
  how.log = [](const http::LogEntry& entry) {
    log_lines.push_back(std::string(entry.request) + "|" + std::string(status_text(entry.status)) +
                        "|" + std::to_string(entry.length));
  };
  return how;
}

TEST(AccessLog, HasALineForEachReply) {
  Talk talk(logging());
  talk.say(get("/a?b=c") + "HEAD /letters/7 HTTP/1.1\r\nHost: lab\r\n\r\n" + get("/letters/70000"));
  EXPECT_EQ(log_lines, (std::vector<std::string>{"GET /a?b=c|200 OK|10", "HEAD /letters/7|200 OK|0",
                                                 "GET /letters/70000|200 OK|70000"}));
}

TEST(AccessLog, HasALineForARefusalTooThoughNothingIsKnownOfTheRequest) {
  Talk talk(logging());
  const std::string said = talk.say(get("/a") + "GET /b HTTP/1.1\r\n\r\n");
  const std::size_t length = said.size() - said.rfind("\r\n\r\n") - 4;
  EXPECT_EQ(log_lines, (std::vector<std::string>{"GET /a|200 OK|6",
                                                 "-|400 Bad Request|" + std::to_string(length)}));
}

TEST(AccessLog, HasItsLineWhenTheReplyComesNotTheRequest) {
  Talk talk(logging());
  talk.say(get("/later"));
  EXPECT_TRUE(log_lines.empty());
  talk.pass(1s);
  EXPECT_EQ(log_lines.size(), 1U);
}

TEST(Traffic, CountsWholeRequestsAndTheBytesOfBothDirections) {
  http::Traffic traffic;
  http::Settings how = settings();
  how.traffic = &traffic;
  Talk one(how);
  Talk other(how);
  const std::string asked = get("/a");
  std::size_t heard = one.say(asked).size() + other.say(asked + "GET").size();
  EXPECT_EQ(traffic.requests, 2U);
  EXPECT_EQ(traffic.bytes_in, 2 * asked.size() + 3);
  EXPECT_EQ(traffic.bytes_out, heard);

  one.send(get("/letters/100000"));
  heard += one.read(10).size();
  EXPECT_EQ(traffic.bytes_out, heard) << "what is pending has not been sent";
}

}  // namespace
}  // namespace tests
