// A client that reads slowly, or not at all, and bodies that are larger than any buffer.

#include <gtest/gtest.h>

#include <random>

#include "talk.hh"

namespace tests {
namespace {

constexpr std::size_t limit = http::Session::output_limit;

TEST(Output, OfAClientThatDoesNotReadIsBounded) {
  Talk talk;
  const std::string one = get("/" + std::string(1000, 'a'));
  std::string many;
  for (int i = 0; i < 200; ++i) many += one;
  talk.send(many);
  const std::size_t a_reply = ok("GET /" + std::string(1000, 'a')).size();
  EXPECT_GE(talk.session.pending().size(), limit);
  EXPECT_LT(talk.session.pending().size(), limit + a_reply);

  EXPECT_EQ(talk.session.want(), Want::write) << "who does not read is not read from";
  EXPECT_FALSE(talk.session.next_request());

  EXPECT_EQ(talk.read().size(), 200 * a_reply) << "but who does gets all";
  EXPECT_TRUE(talk.session.idle());
}

TEST(Output, OfOneReplyMayBeAsLargeAsABody) {
  Talk talk;
  const std::string body = Letters::first(300'000);
  talk.send("POST /a HTTP/1.1\r\nHost: lab\r\nContent-Length: 300000\r\n\r\n" + body + get("/b"));
  EXPECT_FALSE(talk.session.next_request());
  EXPECT_EQ(talk.read(), ok("POST /a: " + body) + ok("GET /b"));
}

TEST(Output, MovesOnByAsManyBytesAsWereSent) {
  Talk talk;
  talk.send(get("/a"));
  const std::string all = ok("GET /a");
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto pending = talk.session.pending();
    ASSERT_EQ(std::string(pending.data(), pending.size()), all.substr(i));
    talk.session.sent(1, talk.now);
  }
  EXPECT_TRUE(talk.session.pending().empty());
  EXPECT_EQ(talk.session.want(), Want::read);
}

TEST(Output, OfAStreamIsExactAndBoundedWhateverTheSocketTakes) {
  Talk talk;
  std::mt19937 random(10'000);
  std::uniform_int_distribution<std::size_t> some(1, 20'000);
  talk.send(get("/letters/1000000") + get("/b"));
  std::string all;
  while (talk.session.want() == Want::write) {
    ASSERT_LE(talk.session.pending().size(), limit + ok("GET /b").size());
    all += talk.read(some(random));
  }
  const std::string head = all.substr(0, all.find("\r\n\r\n") + 4);
  EXPECT_TRUE(head.ends_with("Content-Length: 1000000\r\n\r\n")) << head;
  EXPECT_EQ(all, head + Letters::first(1'000'000) + ok("GET /b"));
}

TEST(Output, OfAStreamThatEndsWithAPieceIsExactToo) {
  for (const std::size_t n : {0UL, 1UL, limit - 200, limit - 1, limit, limit + 1, 2 * limit}) {
    Talk talk;
    const std::string all = talk.say(get("/letters/" + std::to_string(n)) + get("/b"));
    EXPECT_TRUE(all.ends_with("\r\n\r\n" + Letters::first(n) + ok("GET /b"))) << n;
  }
}

// Gives as many bytes as it has, in pieces of its own size.
class Scarce final : public http::Source {
 public:
  explicit Scarce(std::size_t has) : has_(has) {}
  std::size_t read(std::span<char> into) override {
    const std::size_t n = std::min({into.size(), has_, std::size_t{1000}});
    std::fill_n(into.begin(), n, 'x');
    has_ -= n;
    return n;
  }

 private:
  std::size_t has_;
};

http::Response promise(std::uint64_t length, std::size_t has) {
  http::Response response;
  response.body = http::Body(std::make_unique<Scarce>(has), length);
  return response;
}

TEST(Output, TakesFromASourceNoMoreThanWasPromised) {
  Talk talk;
  talk.session.received(get("/a"), talk.now);
  ASSERT_TRUE(talk.session.next_request());
  talk.session.respond(promise(1500, 9999));
  EXPECT_EQ(talk.read(), ok(std::string(1500, 'x')));
  EXPECT_EQ(talk.session.want(), Want::read);
}

TEST(Output, IsCutOffWhenASourceGivesLessThanWasPromised) {
  for (const std::size_t has : {std::size_t{0}, std::size_t{100}, 3 * limit}) {
    Talk talk;
    talk.session.received(get("/a"), talk.now);
    ASSERT_TRUE(talk.session.next_request());
    talk.session.respond(promise(10'000'000, has));
    talk.read();
    EXPECT_EQ(talk.session.want(), Want::close) << "only a broken connection tells the client";
  }
}

}  // namespace
}  // namespace tests
