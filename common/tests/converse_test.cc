// A blocking server's conversations: the client is this program, the server a child process.

#include "server/converse.hh"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>

#include <chrono>
#include <functional>
#include <string>

#include "child.hh"
#include "talk.hh"

namespace {

using net::Fd;
using server::Context;
using namespace std::chrono_literals;

using Serve = std::function<void(const Fd& client, const Context& context)>;

class ConverseTest : public testing::Test {
 protected:
  // Starts a server that serves one client and exits.
  void start(const Serve& serve = [](const Fd& fd, const Context& context) {
    converse(fd, context);
  }) {
    std::array<int, 2> ends{};
    net::checked(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), "socketpair");
    client.reset(ends[0]);
    const Fd far_end(ends[1]);
    pid = tests::fork_child();
    if (pid != 0) return;
    client.reset();
    const server::Stop stop(10s);
    app::Service service("99-tested", "", "");
    net::Listener listener("127.0.0.1", 0, 1, net::Listener::Mode::blocking);
    serve(far_end, Context{options, stop, listener, service, settings});
    ::_exit(0);
  }

  void TearDown() override {
    client.reset();
    int status = -1;
    EXPECT_EQ(::waitpid(pid, &status, 0), pid);
    EXPECT_EQ(status, 0);
  }

  void send(const std::string& bytes) const {
    ASSERT_EQ(::send(client.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }

  // Reads exactly as many bytes as are expected.
  void expect(const std::string& reply) const {
    std::string got(reply.size(), '\0');
    const ssize_t n = ::recv(client.get(), got.data(), got.size(), MSG_WAITALL);
    EXPECT_EQ(got.substr(0, static_cast<std::size_t>(std::max<ssize_t>(n, 0))), reply);
  }

  [[nodiscard]] std::string read_to_end() const { return tests::read_all(client.get()); }

  server::Options options;
  http::Settings settings = tests::settings();
  Fd client;
  pid_t pid = -1;
};

const std::string hello = tests::ok("Hello, World!");
const std::string last_hello = tests::last_ok("Hello, World!");

TEST_F(ConverseTest, AnswersUntilTheClientEnds) {
  start();
  send(tests::get("/hello"));
  expect(hello);
  send(tests::get("/hello") + tests::get("/hello"));
  expect(hello + hello);
  ::shutdown(client.get(), SHUT_WR);
  EXPECT_EQ(read_to_end(), "");
}

TEST_F(ConverseTest, AnswersWhatCameBeforeTheClientsEnd) {
  start();
  send(tests::get("/hello"));
  ::shutdown(client.get(), SHUT_WR);
  EXPECT_EQ(read_to_end(), hello);
}

TEST_F(ConverseTest, ClosesWhenItIsAskedTo) {
  start();
  send(tests::get("/hello", "Connection: close\r\n"));
  EXPECT_EQ(read_to_end(), last_hello);
}

TEST_F(ConverseTest, RefusesAndReadsOnUntilTheClientHasHeardIt) {
  start();
  send("nonsense\r\n\r\n");
  EXPECT_TRUE(read_to_end().starts_with("HTTP/1.1 400 Bad Request\r\n"))
      << "the end comes with the reply";
  send(std::string(100'000, 'x'));  // is still taken
}

TEST_F(ConverseTest, SendsALongReplyToAClientThatReadsSlowly) {
  start();
  send(tests::get("/bytes/3000000", "Connection: close\r\n"));
  const std::string all = read_to_end();
  EXPECT_EQ(all.size() - all.find("\r\n\r\n") - 4, 3'000'000U);
}

TEST_F(ConverseTest, WaitsForALaterReply) {
  start();
  send(tests::get("/sleep?ms=20") + tests::get("/hello"));
  expect(tests::ok("slept 20 ms\n") + hello);
}

TEST_F(ConverseTest, EndsAnIdleClientAfterItsTimeout) {
  settings.idle_timeout = 50ms;
  start();
  send(tests::get("/hello"));
  EXPECT_EQ(read_to_end(), hello);
}

TEST_F(ConverseTest, TellsAClientWhoseHeadIsTooSlow) {
  settings.header_timeout = 50ms;
  start();
  send("GET /hello HT");
  EXPECT_TRUE(read_to_end().starts_with("HTTP/1.1 408 Request Timeout\r\n"));
}

TEST_F(ConverseTest, EndsAClientThatDoesNotRead) {
  settings.io_timeout = 50ms;
  start();
  send(tests::get("/bytes/100000000"));
  int status = -1;
  EXPECT_EQ(::waitpid(pid, &status, 0), pid) << "we have not read, and it has ended";
  EXPECT_EQ(status, 0);
  pid = tests::fork_child();  // something for TearDown to wait for
  if (pid == 0) ::_exit(0);
}

TEST_F(ConverseTest, SurvivesAClientThatGoesAway) {
  start();
  send(tests::get("/bytes/100000000"));
  expect("HTTP/1.1 200 OK");
  client.reset();
}

TEST_F(ConverseTest, LetsAnIdleClientGoAtAStop) {
  start();
  send(tests::get("/hello"));
  expect(hello);
  ::kill(pid, SIGTERM);
  EXPECT_EQ(read_to_end(), "");
}

TEST_F(ConverseTest, AnswersAtAStopWhatHadAlreadyCome) {
  auto gate = tests::make_pipe();
  start([&gate](const Fd& far_end, const Context& context) {
    gate[1].reset();
    tests::read_all(gate[0].get());  // until the request is there
    ::raise(SIGTERM);
    converse(far_end, context);
  });
  send(tests::get("/hello") + tests::get("/hello"));
  gate[1].reset();
  EXPECT_EQ(read_to_end(), last_hello);
}

TEST_F(ConverseTest, SaysGoodByeWhenOthersWait) {
  struct Crowd final : server::Rests {
    bool crowded() override { return true; }
  };
  start([](const Fd& far_end, const Context& context) {
    Crowd crowd;
    converse(far_end, context, crowd);
  });
  send(tests::get("/hello"));
  EXPECT_EQ(read_to_end(), last_hello);
}

TEST_F(ConverseTest, TurnsAwayWithAReply) {
  start([](const Fd& far_end, const Context& context) { turn_away(far_end, context); });
  EXPECT_EQ(read_to_end(),
            tests::reply("503 Service Unavailable",
                         "503: this server is full; try again in a moment\n", "close"));
}

}  // namespace
