#include "server/options.hh"

#include <gtest/gtest.h>

#include <chrono>
#include <iostream>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

namespace {

using server::Options;
using server::Stage;
using namespace std::chrono_literals;

// Collects what is written to a stream while it lives.
class Captured {
 public:
  explicit Captured(std::ostream& stream) : stream_(stream), before_(stream.rdbuf(text_.rdbuf())) {}
  ~Captured() { stream_.rdbuf(before_); }
  Captured(const Captured&) = delete;
  Captured& operator=(const Captured&) = delete;

  [[nodiscard]] std::string text() const { return text_.str(); }

 private:
  std::ostringstream text_;
  std::ostream& stream_;
  std::streambuf* before_;
};

struct Parsed {
  std::optional<Options> options;
  int exit_status = -1;
  std::string out;
  std::string err;
};

Parsed parse(std::vector<std::string> words, const Stage& stage) {
  words.insert(words.begin(), "server");
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  const Captured out(std::cout);
  const Captured err(std::cerr);
  Parsed parsed;
  parsed.options =
      server::parse_options(static_cast<int>(argv.size()), argv.data(), stage, parsed.exit_status);
  parsed.out = out.text();
  parsed.err = err.text();
  return parsed;
}

const Stage plain{.name = "98-plain", .idea = "has nothing to set"};
const Stage rich{
    .name = "99-rich", .idea = "has it all", .workers = 4, .queue = 64, .connections = 1000};

TEST(Options, HaveDefaults) {
  const Parsed parsed = parse({}, rich);
  ASSERT_TRUE(parsed.options) << parsed.err;
  const Options& options = *parsed.options;
  EXPECT_EQ(options.host, "127.0.0.1");
  EXPECT_EQ(options.port, 8080);
  EXPECT_EQ(options.root, "");
  EXPECT_EQ(options.workers, 4);
  EXPECT_EQ(options.queue, 64);
  EXPECT_EQ(options.max_connections, 1000);
  EXPECT_GT(options.backlog, 0);
  for (const auto timeout : {options.idle_timeout, options.header_timeout, options.io_timeout}) {
    EXPECT_GT(timeout, 0s);
    EXPECT_LE(timeout, 20s);
  }
  EXPECT_GT(options.drain_timeout, 0s);
  EXPECT_EQ(options.max_body, 1024U * 1024U);
  EXPECT_FALSE(options.access_log);
}

TEST(Options, AreWhatTheCommandLineSays) {
  const Parsed parsed = parse({"--host",   "::1",
                               "--port=0", "--root",
                               "/tmp",     "--workers",
                               "7",        "--queue",
                               "8",        "--backlog",
                               "9",        "--max-connections",
                               "10",       "--idle-timeout",
                               "0.5",      "--header-timeout",
                               "1.25",     "--io-timeout",
                               "3",        "--drain-timeout",
                               "4",        "--max-body",
                               "0",        "--access-log"},
                              rich);
  ASSERT_TRUE(parsed.options) << parsed.err;
  const Options& options = *parsed.options;
  EXPECT_EQ(options.host, "::1");
  EXPECT_EQ(options.port, 0);
  EXPECT_EQ(options.root, "/tmp");
  EXPECT_EQ(options.workers, 7);
  EXPECT_EQ(options.queue, 8);
  EXPECT_EQ(options.backlog, 9);
  EXPECT_EQ(options.max_connections, 10);
  EXPECT_EQ(options.idle_timeout, 500ms);
  EXPECT_EQ(options.header_timeout, 1250ms);
  EXPECT_EQ(options.io_timeout, 3s);
  EXPECT_EQ(options.drain_timeout, 4s);
  EXPECT_EQ(options.max_body, 0U);
  EXPECT_TRUE(options.access_log);
}

TEST(Options, ThatMeanNothingToAStageAreRefusedWithASentence) {
  for (const std::string name : {"--workers", "--queue", "--max-connections"}) {
    const Parsed parsed = parse({name, "4"}, plain);
    EXPECT_FALSE(parsed.options) << name;
    EXPECT_EQ(parsed.exit_status, 2) << name;
    EXPECT_NE(parsed.err.find(name + " means nothing to 98-plain"), std::string::npos)
        << parsed.err;
  }
}

TEST(Options, OutOfTheirRangeAreRefused) {
  for (const auto& [name, values] : std::vector<std::pair<std::string, std::vector<std::string>>>{
           {"--port", {"-1", "65536", "x", "", "1.5"}},
           {"--workers", {"0", "-1", "4097", "x"}},
           {"--queue", {"0", "65537"}},
           {"--backlog", {"0", "-1", "65536", "99999999999"}},
           {"--max-connections", {"0", "1000001"}},
           {"--idle-timeout", {"0", "-1", "86401", "x", "nan", "inf"}},
           {"--header-timeout", {"0", "-1", "86401", "x", "nan", "inf"}},
           {"--io-timeout", {"0", "-1", "86401", "x", "nan", "inf"}},
           {"--drain-timeout", {"0", "-1", "86401", "x", "nan", "inf"}},
           {"--max-body", {"-1", "1073741825", "1e3", "99999999999999999999"}}})
    for (const std::string& value : values) {
      const Parsed parsed = parse({name + "=" + value}, rich);
      EXPECT_FALSE(parsed.options) << name << "=" << value;
      EXPECT_EQ(parsed.exit_status, 2) << name << "=" << value;
      EXPECT_TRUE(parsed.err.starts_with("99-rich: ")) << parsed.err;
      EXPECT_EQ(parsed.out, "") << "standard output is for the server that is ready";
    }
}

TEST(Options, ThatDoNotExistAreRefused) {
  for (const std::string word : {"--nonsense", "-x", "nonsense", "--port"}) {
    const Parsed parsed = parse({word}, rich);
    EXPECT_FALSE(parsed.options) << word;
    EXPECT_EQ(parsed.exit_status, 2) << word;
    EXPECT_NE(parsed.err.find("--help"), std::string::npos) << parsed.err;
  }
}

TEST(Options, AreExplainedByHelp) {
  const Parsed parsed = parse({"--help"}, rich);
  EXPECT_FALSE(parsed.options);
  EXPECT_EQ(parsed.exit_status, 0);
  EXPECT_EQ(parsed.err, "");
  for (const char* part : {"99-rich",
                           "has it all",
                           "--host",
                           "127.0.0.1",
                           "--port",
                           "8080",
                           "--root",
                           "--workers",
                           "--queue",
                           "--backlog",
                           "--max-connections",
                           "1000",
                           "--idle-timeout",
                           "20",
                           "seconds",
                           "--header-timeout",
                           "--io-timeout",
                           "--drain-timeout",
                           "--max-body",
                           "bytes",
                           "--access-log",
                           "--version"})
    EXPECT_NE(parsed.out.find(part), std::string::npos) << part;
}

TEST(Options, ThatMeanNothingAreNotInTheHelp) {
  const Parsed parsed = parse({"--help"}, plain);
  for (const char* name : {"--workers", "--queue", "--max-connections"})
    EXPECT_EQ(parsed.out.find(name), std::string::npos) << name;
}

TEST(Options, CanAskForTheVersion) {
  const Parsed parsed = parse({"--version"}, rich);
  EXPECT_FALSE(parsed.options);
  EXPECT_EQ(parsed.exit_status, 0);
  EXPECT_NE(parsed.out.find("stage 99-rich"), std::string::npos) << parsed.out;
}

TEST(DescriptorsForClients, AreSomeAndFewerThanAll) {
  EXPECT_GT(server::descriptors_for_clients(), 0);
  EXPECT_LT(server::descriptors_for_clients(), 1'000'000);
}

}  // namespace
