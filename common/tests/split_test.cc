// However its bytes are cut into segments, a stream of requests gets the same bytes for an answer.

#include <gtest/gtest.h>

#include <ostream>
#include <random>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "talk.hh"

namespace tests {
namespace {

struct Stream {
  const char* name;
  std::string bytes;
};

std::ostream& operator<<(std::ostream& out, const Stream& stream) { return out << stream.name; }

const std::string post = "POST /p HTTP/1.1\r\nHost: lab\r\n";
const std::string chunked = post + "Transfer-Encoding: chunked\r\n\r\n";
const std::string chunks = "5\r\nhello\r\n1;x=\"y\"\r\n!\r\n0\r\nX: 1\r\nY: 2\r\n\r\n";
const std::string expecting = "Expect: 100-continue\r\n";

const std::vector<Stream> streams{
    {"one_get", get("/a")},
    {"keep_alive", get("/a") + get("/b") + get("/c", "Connection: close\r\n")},
    {"pipelined_after_close", get("/a", "Connection: close\r\n") + get("/b")},
    {"post_and_get", post + "Content-Length: 5\r\n\r\nhello" + get("/a")},
    {"empty_body", post + "Content-Length: 0\r\n\r\n" + get("/a")},
    {"chunked", chunked + chunks + get("/a")},
    {"chunked_and_empty", chunked + "0\r\n\r\n" + get("/a")},
    {"chunked_and_empty_with_a_trailer", chunked + "000;x\r\nX: 1\r\n\r\n" + get("/a")},
    {"expecting_100", post + expecting + "Content-Length: 5\r\n\r\nhello" + get("/a")},
    {"expecting_100_twice", post + expecting + "Transfer-Encoding: chunked\r\n\r\n" + chunks +
                                post + expecting + "Content-Length: 1\r\n\r\n!"},
    {"head", "HEAD /letters/100 HTTP/1.1\r\nHost: lab\r\n\r\n" + get("/a")},
    {"http_1_0",
     "GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /b HTTP/1.0\r\n\r\n" + get("/c")},
    {"absolute_form", get("http://lab/a?b") + get("http://lab")},
    {"empty_lines", "\r\n\r\n" + get("/a") + "\r\n\r\n" + get("/b")},
    {"a_later_reply", get("/later") + get("/a") + get("/later")},
    {"a_streamed_reply", get("/letters/150000") + get("/a")},
    {"no_host", get("/a") + "GET /b HTTP/1.1\r\n\r\n" + get("/c")},
    {"bare_lf", get("/a") + "GET /b HTTP/1.1\nHost: lab\n\n"},
    {"bare_lf_before_a_request", get("/a") + "\n" + get("/b")},
    {"cr_without_lf_before_a_request", get("/a") + "\r" + get("/b")},
    {"folded", get("/a", "X: 1\r\n 2\r\n") + get("/b")},
    {"no_version", "GET /a \r\n\r\n" + get("/b")},
    {"nonsense", "\x16\x03\x01\x02\x01\x01\r\n\r\n" + get("/b")},
    {"unknown_method", get("/a") + "BREW /b HTTP/1.1\r\nHost: lab\r\n\r\n" + get("/c")},
    {"unknown_expectation", get("/a", "Expect: wonders\r\n")},
    {"both_lengths", post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks},
    {"length_too_large", post + expecting + "Content-Length: 9999999\r\n\r\nhello"},
    {"bad_chunk", chunked + "5\r\nhelloX\r\n0\r\n\r\n"},
    {"bad_chunk_after_100", post + expecting + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n\r\n"},
    {"bad_chunk_extension", chunked + "5;a=\"x\r\nhello\r\n0\r\n\r\n" + get("/a") + "\""},
    {"bare_lf_in_a_trailer", chunked + "0\r\nX: 1\nY: 2\r\n\r\n" + get("/a")},
    {"open_quote", chunked + "fffff;a=\"x\r\n" + std::string(100, 'x')},
    {"bad_last_chunk", chunked + "0x\r\n\r\n" + get("/a")},
    {"bad_trailer", chunked + "0\r\nX : 1\r\n\r\n" + get("/a")},
    {"not_the_end", get("/a") + "GET /b HT"},
};

// Too long to be cut everywhere: around each limit, and at every hundredth place.
const std::vector<Stream> long_streams{
    {"large_body", post + "Content-Length: 70000\r\n\r\n" + Letters::first(70000) + get("/a")},
    {"large_target", get("/" + std::string(8191, 'a')) + get("/a")},
    {"target_over_8_kib", get("/" + std::string(8192, 'a')) + get("/a")},
    {"head_over_16_kib", get("/a", "X: " + std::string(16'384, 'x') + "\r\n") + get("/a")},
    {"trailer_over_8_kib", chunked + "0\r\nX: " + std::string(9000, 'x') + "\r\n\r\n" + get("/a")},
    {"chunk_extension_over_8_kib",
     chunked + "1;" + std::string(9000, 'x') + "\r\n!\r\n0\r\n\r\n" + get("/a")},
};

// All that a patient client hears until it ends its side, and what the session wants then.
std::string heard(const std::vector<std::string_view>& pieces) {
  Talk talk;
  std::ostringstream all;
  for (const auto piece : pieces) {
    if (talk.session.want() == Want::close) break;
    all << talk.say(piece);
    while (talk.session.want() == Want::wait) {
      talk.pass(talk.session.deadline() - talk.now);
      all << talk.read();
    }
    if (talk.session.want() == Want::half_close) talk.session.half_closed(talk.now);
  }
  talk.session.peer_closed();
  all << talk.read() << " [" << talk.session.want() << "]";
  return all.str();
}

void expect_same_when_split_at(std::size_t place, const Stream& stream, const std::string& whole) {
  const std::string_view bytes = stream.bytes;
  ASSERT_EQ(heard({bytes.substr(0, place), bytes.substr(place)}), whole)
      << "split after " << place << " bytes: ..."
      << testing::PrintToString(bytes.substr(place - std::min<std::size_t>(place, 10), 10));
}

class Split : public testing::TestWithParam<Stream> {};

TEST_P(Split, InTwoAnywhereMakesNoDifference) {
  const std::string whole = heard({GetParam().bytes});
  const std::size_t step = GetParam().bytes.size() < 1000 ? 1 : 101;
  for (std::size_t place = 1; place < GetParam().bytes.size(); place += step)
    ASSERT_NO_FATAL_FAILURE(expect_same_when_split_at(place, GetParam(), whole));
  for (const std::size_t limit : {8 * 1024UL, 16 * 1024UL})
    for (std::size_t place = limit - 100; place < limit + 100 && place < GetParam().bytes.size();
         ++place)
      ASSERT_NO_FATAL_FAILURE(expect_same_when_split_at(place, GetParam(), whole));
}

TEST_P(Split, IntoSingleBytesMakesNoDifference) {
  const std::string_view bytes = GetParam().bytes;
  std::vector<std::string_view> pieces;
  for (std::size_t i = 0; i < bytes.size(); ++i) pieces.push_back(bytes.substr(i, 1));
  EXPECT_EQ(heard(pieces), heard({bytes}));
}

TEST_P(Split, AtRandomMakesNoDifference) {
  std::mt19937 random(2026);
  const std::string whole = heard({GetParam().bytes});
  for (int round = 0; round < 100; ++round) {
    std::uniform_int_distribution<std::size_t> length(1, 1 + GetParam().bytes.size() / 3);
    std::vector<std::string_view> pieces;
    for (std::string_view rest = GetParam().bytes; !rest.empty();
         rest.remove_prefix(pieces.back().size()))
      pieces.push_back(rest.substr(0, length(random)));
    ASSERT_EQ(heard(pieces), whole) << "round " << round;
  }
}

const auto name_of = [](const auto& stream) { return std::string(stream.param.name); };
INSTANTIATE_TEST_SUITE_P(Short, Split, testing::ValuesIn(streams), name_of);
INSTANTIATE_TEST_SUITE_P(Long, Split, testing::ValuesIn(long_streams), name_of);

}  // namespace
}  // namespace tests
