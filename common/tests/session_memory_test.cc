// Memory follows activity. To see it, this file counts what the whole test program allocates.

#include <gtest/gtest.h>
#include <malloc.h>

#include <cstddef>
#include <cstdlib>
#include <new>

#include "talk.hh"

namespace {

thread_local std::size_t living = 0;  // bytes that this thread has allocated and not freed

}  // namespace

void* operator new(std::size_t size) {
  void* const block = std::malloc(size);
  if (block == nullptr) throw std::bad_alloc();
  living += ::malloc_usable_size(block);
  return block;
}

void operator delete(void* block) noexcept {
  living -= ::malloc_usable_size(block);
  std::free(block);
}

void operator delete(void* block, std::size_t) noexcept { operator delete(block); }

namespace tests {
namespace {

http::Settings logging() {
  http::Settings how = settings();
  how.log = [](const http::LogEntry&) {};
  return how;
}

const std::string long_get = get("/" + std::string(5000, 'a'));
const std::string chunked =
    "POST /a HTTP/1.1\r\nHost: lab\r\nContent-Type: " + std::string(100, 'x') +
    "\r\nTransfer-Encoding: chunked\r\n\r\n186a0\r\n" + Letters::first(100'000) + "\r\n0\r\n\r\n";

TEST(Memory, OfAnIdleSessionIsTheSessionItselfWhateverItHasServed) {
  Talk talk(logging());
  for (const std::string& request :
       {get("/a"), long_get + long_get, chunked, get("/letters/1000000"), "\r\n"s}) {
    const std::size_t before = living;
    talk.say(request);
    EXPECT_TRUE(talk.session.idle());
    ASSERT_EQ(living, before) << request.substr(0, 40);
  }
  EXPECT_LE(sizeof(http::Session), 256U);
}

TEST(Memory, IsUsedByAReplyThatIsNotRead) {
  Talk talk;
  const std::size_t before = living;
  talk.send(get("/letters/1000000"));
  EXPECT_GT(living, before + 10'000) << "or else nothing is counted here";
}

TEST(Memory, OfAStreamIsBounded) {
  Talk talk;
  const std::size_t before = living;
  talk.send(get("/letters/10000000"));
  std::size_t most = 0;
  while (talk.session.want() == Want::write) {
    most = std::max(most, living - before);
    talk.session.sent(std::min<std::size_t>(talk.session.pending().size(), 30'000), talk.now);
  }
  EXPECT_LT(most, 2 * http::Session::output_limit + 4096);
}

TEST(Memory, OfARequestInPiecesIsItsBodyAndLittleMore) {
  Talk talk;
  const std::size_t before = living;
  const std::string body = Letters::first(1'000'000);
  talk.send("POST /a HTTP/1.1\r\nHost: lab\r\nContent-Length: 1000000\r\n\r\n");
  std::size_t most = 0;
  for (std::size_t i = 0; i < body.size() - 10'000; i += 10'000) {
    talk.send({body.data() + i, 10'000});
    most = std::max(most, living - before);
  }
  EXPECT_LT(most, body.size() * 2 + 1'000'000 + 64 * 1024) << "its string grows by doubling";
}

TEST(Memory, OfARefusedClientThatSendsOnDoesNotGrow) {
  Talk talk;
  talk.say("GET /a \r\n\r\n");
  talk.session.half_closed(talk.now);
  const std::size_t before = living;
  for (int i = 0; i < 100; ++i) talk.send(long_get);
  EXPECT_EQ(living, before);
}

}  // namespace
}  // namespace tests
