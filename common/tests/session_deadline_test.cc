// When a session's time is up, in each of its states, and what happens then.

#include <gtest/gtest.h>

#include "talk.hh"

namespace tests {
namespace {

http::Settings patience() {
  http::Settings how = settings();
  how.idle_timeout = 30s;
  how.header_timeout = 5s;
  how.io_timeout = 7s;
  return how;
}

const std::string post = "POST /a HTTP/1.1\r\nHost: lab\r\nContent-Length: 5\r\n\r\n";

class Deadline : public testing::Test {
 protected:
  Talk talk{patience()};
};

TEST_F(Deadline, OfANewConnectionIsTheIdleTimeout) {
  EXPECT_EQ(talk.session.deadline(), start + 30s);
  talk.pass(30s - 1ns);
  EXPECT_EQ(talk.session.want(), Want::read);
  talk.pass(1ns);
  EXPECT_EQ(talk.session.want(), Want::close) << "without a word: nothing was asked";
}

TEST_F(Deadline, OfAnIdleConnectionCountsFromItsLastReply) {
  talk.now += 10s;
  talk.send(get("/a"));
  talk.now += 1s;
  talk.read();
  EXPECT_EQ(talk.session.deadline(), start + 11s + 30s);
}

TEST_F(Deadline, OfAHeadIsFixedByItsFirstByte) {
  talk.now += 10s;
  talk.send("G");
  for (int i = 0; i < 4; ++i) {
    talk.now += 1s;
    talk.send("E");
    EXPECT_EQ(talk.session.deadline(), start + 15s) << "trickling wins no time";
  }
  talk.pass(1s - 1ns);
  EXPECT_EQ(talk.session.want(), Want::read);
  talk.pass(1ns);
  EXPECT_TRUE(talk.read().starts_with("HTTP/1.1 408 Request Timeout\r\n"));
  EXPECT_EQ(talk.session.want(), Want::half_close);
}

TEST_F(Deadline, OfAHeadCountsForEachRequestAnew) {
  talk.say(get("/a"));
  talk.now += 20s;
  talk.send("GET");
  EXPECT_EQ(talk.session.deadline(), start + 25s);
}

TEST_F(Deadline, OfAHeadBeginsForALoneCarriageReturnToo) {
  talk.send("\r");
  EXPECT_EQ(talk.session.deadline(), start + 5s);
}

TEST_F(Deadline, OfAHeadBehindALaterReplyDoesNotCountTheWaiting) {
  http::Settings how = patience();
  how.header_timeout = 500ms;
  Talk behind(how);
  behind.send(get("/later") + "GET /a HTTP/1.1\r\n");
  behind.pass(1s);
  EXPECT_EQ(behind.read(), ok("GET /later"));
  behind.pass(0s);
  EXPECT_EQ(behind.session.want(), Want::read) << "it could not be read from until now";
  EXPECT_EQ(behind.session.deadline(), behind.now + 500ms);
  EXPECT_EQ(behind.say("Host: lab\r\n\r\n"), ok("GET /a"));
}

TEST_F(Deadline, OfABodyMovesWithEachPiece) {
  talk.send(post);
  EXPECT_EQ(talk.session.deadline(), start + 7s);
  talk.now += 6s;
  talk.send("h");
  EXPECT_EQ(talk.session.deadline(), start + 13s);
  talk.pass(7s);
  EXPECT_TRUE(talk.read().starts_with("HTTP/1.1 408 Request Timeout\r\n"));
  EXPECT_EQ(talk.session.want(), Want::half_close);
}

TEST_F(Deadline, OfABodyBeginsWhenTheClientIsToldToGoOn) {
  talk.send("POST /a HTTP/1.1\r\nHost: lab\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
  talk.now += 3s;
  EXPECT_EQ(talk.read(), "HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_EQ(talk.session.deadline(), start + 10s);
}

TEST_F(Deadline, OfAReplyMovesWithEachPieceAndEndsTheConnection) {
  talk.send(get("/letters/1000000"));
  EXPECT_EQ(talk.session.deadline(), start + 7s);
  talk.now += 6s;
  talk.read(1);
  EXPECT_EQ(talk.session.deadline(), start + 13s);
  talk.pass(7s - 1ns);
  EXPECT_EQ(talk.session.want(), Want::write);
  talk.pass(1ns);
  EXPECT_EQ(talk.session.want(), Want::close) << "who does not read cannot be told";
}

TEST_F(Deadline, OfALaterReplyIsItsOwnHoweverLongItTakes) {
  talk.session.received(get("/a"), talk.now);
  ASSERT_TRUE(talk.session.next_request());
  auto poll = [](Time) { return std::optional<http::Response>(http::Response{}); };
  talk.session.respond(std::make_unique<http::Later>(http::Later{start + 100s, 1ms, poll}));
  EXPECT_EQ(talk.session.deadline(), start + 100s);
  talk.pass(100s);
  EXPECT_EQ(talk.session.want(), Want::write);
  EXPECT_EQ(talk.session.deadline(), start + 107s) << "the reply has all its time";
}

TEST_F(Deadline, OfLingeringIsTwoSecondsWhateverComes) {
  talk.say("nonsense\r\n\r\n");
  talk.now += 1s;
  talk.session.half_closed(talk.now);
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(talk.session.deadline(), start + 3s);
    talk.now += 500ms;
    talk.send("more of it");
  }
  talk.pass(0s);
  EXPECT_EQ(talk.session.want(), Want::close);
}

TEST_F(Deadline, ThatHasNotComeChangesNothing) {
  talk.send(get("/letters/1000000"));
  const std::size_t pending = talk.session.pending().size();
  talk.pass(6s);
  EXPECT_EQ(talk.session.pending().size(), pending);
  EXPECT_EQ(talk.session.deadline(), start + 7s);
}

}  // namespace
}  // namespace tests
