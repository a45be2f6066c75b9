#include "server/run.hh"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "child.hh"

namespace {

using server::Context;
using server::Stage;

const Stage stage{.name = "99-tested", .idea = "is tested"};

// Runs a server with these options in a process of its own.
tests::Outcome run(
    std::vector<std::string> words, void (*serve)(Context&) = [](Context&) {}) {
  words.insert(words.begin(), "server");
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  return tests::in_child([&] {
    return server::run(static_cast<int>(argv.size()), argv.data(), stage,
                       net::Listener::Mode::blocking, serve);
  });
}

TEST(Run, SaysThatItListensAndReturnsZeroWhenServed) {
  const auto outcome = run({"--port", "0"}, [](Context& context) {
    std::cout << "listener " << context.listener.address() << " pid " << ::getpid() << "\n";
  });
  EXPECT_EQ(outcome.exit_status(), 0);
  EXPECT_EQ(outcome.err, "");
  const std::string address = outcome.out.substr(20, outcome.out.find(' ', 20) - 20);
  const std::string pid = outcome.out.substr(outcome.out.rfind(' ') + 1);
  EXPECT_EQ(outcome.out, "listening on http://" + address + " stage=99-tested pid=" + pid +
                             "listener " + address + " pid " + pid);
}

TEST(Run, FlushesItsFirstLineBeforeItServes) {
  const auto outcome = run({"--port", "0"}, [](Context&) { ::_exit(0); });
  EXPECT_TRUE(outcome.out.starts_with("listening on http://127.0.0.1:")) << outcome.out;
  EXPECT_TRUE(outcome.out.ends_with("\n"));
}

TEST(Run, GivesTheStageWhatTheOptionsSay) {
  const auto outcome =
      run({"--port=0", "--max-body=5", "--idle-timeout=1", "--header-timeout=2", "--io-timeout=3"},
          [](Context& context) {
            const http::Settings& how = context.settings;
            const auto s = [](auto d) { return std::chrono::duration<double>(d).count(); };
            std::cout << "body " << how.max_body << " idle " << s(how.idle_timeout) << " header "
                      << s(how.header_timeout) << " io " << s(how.io_timeout);
          });
  EXPECT_TRUE(outcome.out.ends_with("\nbody 5 idle 1 header 2 io 3")) << outcome.out;
}

void serve_one_hello(Context& context) {
  http::Session session = context.new_session(http::Clock::now());
  const std::string request =
      "GET /hello HTTP/1.1\r\nHost: lab\r\n\r\nGET /stats HTTP/1.1\r\nHost: lab\r\n\r\n";
  session.received(request, http::Clock::now());
  context.answer(session);
  std::cout.write(session.pending().data(), static_cast<std::streamsize>(session.pending().size()));
}

TEST(Run, AnswersWithTheServiceAndCounts) {
  const auto outcome = run({"--port=0"}, serve_one_hello);
  EXPECT_NE(outcome.out.find("Hello, World!"), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.out.find("\"requests\": 2, \"bytes_in\": 68,"), std::string::npos)
      << outcome.out;
  EXPECT_EQ(outcome.err, "") << "no access log unless asked for";
}

TEST(Run, WritesTheAccessLogToStandardError) {
  const auto outcome = run({"--port=0", "--access-log"}, serve_one_hello);
  EXPECT_TRUE(outcome.err.starts_with("\"GET /hello\" 200 13\n\"GET /stats\" 200 ")) << outcome.err;
}

TEST(Run, FailsWithOneLineThatSaysWhy) {
  const net::Listener taken("127.0.0.1", 0, 1, net::Listener::Mode::blocking);
  const std::string port = taken.address().substr(taken.address().rfind(':') + 1);
  for (const auto& [words, reason] : std::vector<std::pair<std::vector<std::string>, std::string>>{
           {{"--port", port}, "bind 127.0.0.1:" + port + ": Address already in use"},
           {{"--port=0", "--root=/nonexistent"},
            "open --root /nonexistent: No such file or directory"},
           {{"--port=0", "--host=lab"},
            "--host lab: not a numeric address (try 127.0.0.1, 0.0.0.0 or ::1)"}}) {
    const auto outcome = run(words);
    EXPECT_EQ(outcome.exit_status(), 1);
    EXPECT_EQ(outcome.out, "") << "it is not ready";
    EXPECT_EQ(outcome.err, "99-tested: " + reason + "\n");
  }
}

TEST(Run, FailsWhenTheStageThrows) {
  const auto outcome =
      run({"--port=0"}, [](Context&) { net::throw_errno((errno = EBADF, "epoll_wait")); });
  EXPECT_EQ(outcome.exit_status(), 1);
  EXPECT_EQ(outcome.err, "99-tested: epoll_wait: Bad file descriptor\n");
}

TEST(Run, ReturnsTwoForAUsageError) {
  const auto outcome = run({"--nonsense"});
  EXPECT_EQ(outcome.exit_status(), 2);
  EXPECT_EQ(outcome.out, "");
  EXPECT_NE(outcome.err.find("--nonsense"), std::string::npos) << outcome.err;
}

TEST(Run, ReturnsZeroForHelp) {
  const auto outcome = run({"--help"});
  EXPECT_EQ(outcome.exit_status(), 0);
  EXPECT_NE(outcome.out.find("--drain-timeout"), std::string::npos);
}

}  // namespace
