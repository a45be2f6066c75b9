// The ends of a conversation: the client ends its side, is lost, or the server is to stop.

#include <gtest/gtest.h>

#include "talk.hh"

namespace tests {
namespace {

const std::string post = "POST /a HTTP/1.1\r\nHost: lab\r\nContent-Length: 5\r\n\r\n";

TEST(PeerClosed, EndsAnIdleConnection) {
  Talk talk;
  talk.say(get("/a"));
  talk.session.peer_closed();
  EXPECT_EQ(talk.session.want(), Want::close);
}

TEST(PeerClosed, EndsARequestThatWillNeverBeWhole) {
  for (const std::string& part : {"G"s, "\r"s, "GET / HTTP/1.1\r\n"s, post + "hell"}) {
    Talk talk;
    talk.send(part);
    talk.session.peer_closed();
    talk.serve();
    EXPECT_EQ(talk.read(), "") << part;
    EXPECT_EQ(talk.session.want(), Want::close) << part;
  }
}

TEST(PeerClosed, LetsAReplyUnderWayGoOut) {
  Talk talk;
  talk.send(get("/a"));
  const std::string beginning = talk.read(10);
  talk.session.peer_closed();
  EXPECT_EQ(talk.session.want(), Want::write);
  EXPECT_EQ(beginning + talk.read(), ok("GET /a"));
  EXPECT_EQ(talk.session.want(), Want::close);
}

TEST(PeerClosed, LetsALongReplyGoOutToItsEnd) {
  Talk talk;
  talk.send(get("/letters/1000000"));
  std::string all = talk.read(1000);
  talk.session.peer_closed();
  all += talk.read();
  EXPECT_TRUE(all.ends_with("\r\n\r\n" + Letters::first(1'000'000)));
  EXPECT_EQ(talk.session.want(), Want::close);
}

TEST(PeerClosed, LetsALaterReplyCome) {
  Talk talk;
  talk.send(get("/later"));
  talk.session.peer_closed();
  EXPECT_EQ(talk.session.want(), Want::wait);
  talk.pass(1s);
  EXPECT_EQ(talk.read(), last_ok("GET /later"));
  EXPECT_EQ(talk.session.want(), Want::close);
}

TEST(PeerClosed, LetsEveryRequestBeAnsweredThatCameBefore) {
  Talk talk;
  talk.session.received(get("/1") + get("/2") + get("/3"), talk.now);
  talk.session.peer_closed();  // read to the end before anything was answered
  talk.serve();
  EXPECT_EQ(talk.read(), ok("GET /1") + ok("GET /2") + last_ok("GET /3"));
  EXPECT_EQ(talk.session.want(), Want::close);
}

TEST(PeerClosed, NeedsNoHalfCloseAfterARefusal) {
  Talk talk;
  talk.send("nonsense\r\n\r\n");
  talk.session.peer_closed();
  EXPECT_TRUE(talk.read().starts_with("HTTP/1.1 400 "));
  EXPECT_EQ(talk.session.want(), Want::close);
}

TEST(Lost, EndsEverythingAtOnce) {
  for (const std::string& sent :
       {""s, "GET"s, get("/a"), get("/later"), get("/letters/1000000"), "\n"s}) {
    Talk talk;
    talk.send(sent);
    talk.session.lost();
    EXPECT_EQ(talk.session.want(), Want::close) << sent;
    EXPECT_FALSE(talk.session.next_request()) << sent;
  }
}

TEST(LastReply, LeavesTimeForWhatTheClientHasAlreadySentBehindIt) {
  Talk talk;
  EXPECT_EQ(talk.say(get("/a", "Connection: close\r\n") + get("/b")), last_ok("GET /a"));
  ASSERT_EQ(talk.session.want(), Want::half_close) << "closing over unread bytes would send RST";
  talk.session.half_closed(talk.now);
  EXPECT_EQ(talk.session.want(), Want::read);
  EXPECT_EQ(talk.session.deadline(), talk.now + 2s);
}

TEST(Drain, EndsAnIdleConnection) {
  Talk talk;
  talk.say(get("/a"));
  talk.session.drain();
  EXPECT_EQ(talk.session.want(), Want::close);
}

TEST(Drain, LetsARequestThatHasBegunBeTheLast) {
  for (const std::string& part : {"G"s, "GET /a HTTP/1.1\r\nHost: l"s}) {
    Talk talk;
    talk.send(part);
    talk.session.drain();
    EXPECT_EQ(talk.session.want(), Want::read);
    EXPECT_EQ(talk.say(get("/a").substr(part.size())), last_ok("GET /a"));
    EXPECT_EQ(talk.session.want(), Want::half_close) << "the next request may be on its way";
  }
}

TEST(Drain, LetsABodyComeToItsEnd) {
  Talk talk;
  talk.send(post + "he");
  talk.session.drain();
  EXPECT_EQ(talk.say("llo"), last_ok("POST /a: hello"));
}

TEST(Drain, LetsAReplyUnderWayGoOut) {
  Talk talk;
  talk.send(get("/letters/1000000"));
  std::string all = talk.read(1000);
  talk.session.drain();
  all += talk.read();
  EXPECT_TRUE(all.ends_with(Letters::first(1'000'000)));
  EXPECT_NE(talk.session.want(), Want::read) << "nothing new is begun";
}

TEST(Drain, LetsALaterReplyComeAndAnswersNothingBehindIt) {
  Talk talk;
  talk.send(get("/later") + get("/a"));
  talk.session.drain();
  EXPECT_EQ(talk.session.want(), Want::wait);
  talk.pass(1s);
  EXPECT_EQ(talk.read(), last_ok("GET /later"));
  EXPECT_EQ(talk.session.want(), Want::half_close);
}

TEST(Drain, RefusesASlowRequestAsEver) {
  Talk talk;
  talk.send("GET /a HT");
  talk.session.drain();
  talk.pass(settings().header_timeout);
  EXPECT_TRUE(talk.read().starts_with("HTTP/1.1 408 "));
  EXPECT_EQ(talk.session.want(), Want::half_close);
}

}  // namespace
}  // namespace tests
