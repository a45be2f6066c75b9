// A conversation that goes well: what is asked, and what is answered, byte for byte.

#include "http/session.hh"

#include <gtest/gtest.h>

#include <vector>

#include "talk.hh"

namespace tests {
namespace {

TEST(Session, BeginsIdleAndWantsToRead) {
  Talk talk;
  EXPECT_TRUE(talk.session.idle());
  EXPECT_EQ(talk.session.want(), Want::read);
  EXPECT_TRUE(talk.session.pending().empty());
  EXPECT_FALSE(talk.session.next_request());
}

TEST(Session, AnswersARequestAndIsIdleAgain) {
  Talk talk;
  talk.send("GET /hello HTTP/1.1\r\nHost: lab\r\n\r\n");
  EXPECT_EQ(talk.session.want(), Want::write);
  EXPECT_FALSE(talk.session.idle());
  EXPECT_EQ(talk.read(),
            "HTTP/1.1 200 OK\r\n"
            "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
            "Content-Type: text/plain\r\n"
            "Content-Length: 10\r\n"
            "\r\n"
            "GET /hello");
  EXPECT_EQ(talk.session.want(), Want::read);
  EXPECT_TRUE(talk.session.idle());
}

TEST(Session, AnswersOneRequestAfterTheOther) {
  Talk talk;
  EXPECT_EQ(talk.say(get("/1")), ok("GET /1"));
  EXPECT_EQ(talk.say(get("/2")), ok("GET /2"));
}

TEST(Session, AnswersPipelinedRequestsInOrderAndInOneWrite) {
  Talk talk;
  talk.send(get("/1") + get("/2") + get("/3"));
  const auto pending = talk.session.pending();
  EXPECT_EQ(std::string(pending.data(), pending.size()),
            ok("GET /1") + ok("GET /2") + ok("GET /3"));
}

TEST(Session, ReadsABodyOfTheGivenLength) {
  Talk talk;
  EXPECT_EQ(talk.say("POST /a HTTP/1.1\r\nHost: lab\r\nContent-Length: 5\r\n\r\nhello" + get("/b")),
            ok("POST /a: hello") + ok("GET /b"));
}

TEST(Session, UndoesTheChunkedCoding) {
  Talk talk;
  EXPECT_EQ(talk.say("POST /a HTTP/1.1\r\nHost: lab\r\nTransfer-Encoding: Chunked\r\n\r\n"
                     "5\r\nhello\r\n00B ; ext=1;other=\"x;y\"\r\n, big world\r\n"
                     "0;last\r\nTrailer: is not looked at\r\n\r\n" +
                     get("/b")),
            ok("POST /a: hello, big world") + ok("GET /b"));
}

TEST(Session, TakesNoFieldFromATrailer) {
  Talk talk;
  EXPECT_EQ(talk.say("POST /a HTTP/1.1\r\nHost: lab\r\nTransfer-Encoding: chunked\r\n\r\n"
                     "0\r\nHost: evil\r\nExpect: wonders\r\nConnection: close\r\n\r\n"),
            ok("POST /a"));
}

TEST(Session, TellsAClientThatAsksToGoOn) {
  Talk talk;
  const std::string head =
      "POST /a HTTP/1.1\r\nHost: lab\r\nExpect: 100-Continue\r\nContent-Length: 5\r\n\r\n";
  EXPECT_EQ(talk.say(head), "HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_EQ(talk.say("hel"), "") << "once is enough";
  EXPECT_EQ(talk.say("lo"), ok("POST /a: hello"));
  EXPECT_EQ(talk.say(head), "HTTP/1.1 100 Continue\r\n\r\n") << "but once for each request";
}

TEST(Session, TellsNobodyToGoOnWhoHasNoBodyToSend) {
  Talk talk;
  EXPECT_EQ(talk.say(get("/a", "Expect: 100-continue\r\n")), ok("GET /a"));
}

TEST(Session, TellsNoHttp10ClientToGoOn) {
  Talk talk;
  EXPECT_EQ(talk.say("POST /a HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"), "");
  EXPECT_EQ(talk.say("hello"), last_ok("POST /a: hello"));
}

TEST(Session, GivesHeadTheSameHeadAsGetWithoutTheBody) {
  Talk talk;
  const std::string whole = ok("HEAD /a");
  EXPECT_EQ(talk.say("HEAD /a HTTP/1.1\r\nHost: lab\r\n\r\n"), whole.substr(0, whole.find("HEAD")));
  const std::string streamed = talk.say("HEAD /letters/5000000 HTTP/1.1\r\nHost: lab\r\n\r\n");
  EXPECT_TRUE(streamed.ends_with("\r\nContent-Length: 5000000\r\n\r\n")) << streamed;
  EXPECT_EQ(talk.say(get("/b")), ok("GET /b"));
}

TEST(Session, ClosesAfterAnHttp10Request) {
  Talk talk;
  EXPECT_EQ(talk.say("GET /a HTTP/1.0\r\n\r\n"), last_ok("GET /a"));
  EXPECT_EQ(talk.session.want(), Want::close);
}

TEST(Session, KeepsAnHttp10ConnectionWhenAsked) {
  Talk talk;
  EXPECT_EQ(talk.say("GET /a HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"),
            reply("200 OK", "GET /a", "keep-alive"));
  EXPECT_EQ(talk.session.want(), Want::read);
}

TEST(Session, ClosesWhenAskedTo) {
  Talk talk;
  EXPECT_EQ(talk.say(get("/a", "Connection: close\r\n")), last_ok("GET /a"));
  EXPECT_EQ(talk.session.want(), Want::close);
}

TEST(Session, LetsCloseWinOverKeepAlive) {
  for (const char* version : {"1.0", "1.1"}) {
    Talk talk;
    EXPECT_EQ(talk.say("GET /a HTTP/"s + version +
                       "\r\nHost: lab\r\nConnection: keep-alive, close\r\n\r\n"),
              last_ok("GET /a"))
        << version;
  }
}

TEST(Session, UnderstandsTheAbsoluteForm) {
  Talk talk;
  EXPECT_EQ(talk.say(get("http://lab:8080/a?b=c")), ok("GET /a?b=c"));
  EXPECT_EQ(talk.say(get("HTTP://lab")), ok("GET /"));
  EXPECT_EQ(talk.say(get("http://lab?b=c")), ok("GET /?b=c"));
}

TEST(Session, UnderstandsTheFormsOfOptionsAndConnect) {
  Talk talk;
  EXPECT_EQ(talk.say("OPTIONS * HTTP/1.1\r\nHost: lab\r\n\r\n"), ok("OPTIONS *"));
  EXPECT_EQ(talk.say("CONNECT lab:80 HTTP/1.1\r\nHost: lab:80\r\n\r\n"), ok("CONNECT lab:80"));
}

TEST(Session, OverlooksEmptyLinesBeforeARequest) {
  Talk talk;
  EXPECT_EQ(talk.say("\r\n\r\n" + get("/a") + "\r\n" + get("/b")), ok("GET /a") + ok("GET /b"));
  EXPECT_EQ(talk.say("\r\n"), "");
  EXPECT_TRUE(talk.session.idle());
}

TEST(Session, TakesEveryHostThatIsOne) {
  for (const char* host :
       {"lab", "lab:8080", "127.0.0.1:80", "[::1]", "[::1]:80", "a-b.c_d~e", "%41", ""}) {
    Talk talk;
    EXPECT_EQ(talk.say("GET /a HTTP/1.1\r\nHost: "s + host + "\r\n\r\n"), ok("GET /a")) << host;
  }
}

}  // namespace
}  // namespace tests
