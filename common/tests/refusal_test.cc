// Every request that the contract has refused: with which status, and how the connection ends.

#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <vector>

#include "http/session.hh"
#include "talk.hh"

namespace tests {
namespace {

struct Case {
  const char* name;
  std::string sent;
  std::string status;
};

std::ostream& operator<<(std::ostream& out, const Case& refused) { return out << refused.name; }

const std::string post = "POST /a HTTP/1.1\r\nHost: lab\r\n";
const std::string chunked = post + "Transfer-Encoding: chunked\r\n\r\n";
const std::string bad_request = "400 Bad Request";
const std::string too_large = "413 Content Too Large";
const std::string not_implemented = "501 Not Implemented";
const std::string bad_version = "505 HTTP Version Not Supported";

std::string length(const std::string& value) {
  return post + "Content-Length: " + value + "\r\n\r\nhello";
}
std::string coding(const std::string& value) {
  return post + "Transfer-Encoding: " + value + "\r\n\r\n0\r\n\r\n";
}
std::string host(const std::string& value) {
  return "GET /a HTTP/1.1\r\nHost: " + value + "\r\n\r\n";
}
std::string line(const std::string& request_line) { return request_line + "\r\nHost: lab\r\n\r\n"; }

const std::vector<Case> cases{
    {"no_host", "GET /a HTTP/1.1\r\n\r\n", bad_request},
    {"two_hosts", get("/a", "Host: lab\r\n"), bad_request},
    {"two_hosts_in_http_1_0", "GET /a HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", bad_request},
    {"host_with_a_space", host("a b"), bad_request},
    {"host_that_is_a_list", host("a, b"), bad_request},
    {"host_with_a_path", host("a/b"), bad_request},
    {"host_with_a_user", host("me@lab"), bad_request},
    {"host_with_two_ports", host("a:1:2"), bad_request},
    {"host_with_a_port_that_is_none", host("a:http"), bad_request},
    {"host_with_a_bracket_left_open", host("[::1"), bad_request},
    {"host_with_a_quote", host("a\"b"), bad_request},
    {"host_in_angle_brackets", host("<a>"), bad_request},

    {"bare_lf_after_the_request_line", "GET /a HTTP/1.1\nHost: lab\r\n\r\n", bad_request},
    {"bare_lf_after_a_field", "GET /a HTTP/1.1\r\nHost: lab\nX: 1\r\n\r\n", bad_request},
    {"bare_lf_for_the_empty_line", "GET /a HTTP/1.1\r\nHost: lab\r\n\n", bad_request},
    {"bare_lf_before_the_request", "\n" + get("/a"), bad_request},
    {"bare_cr_in_a_field", get("/a", "X: 1\rY: 2\r\n"), bad_request},
    {"cr_cr_lf", "GET /a HTTP/1.1\r\r\nHost: lab\r\n\r\n", bad_request},
    {"space_before_the_colon", get("/a", "X : 1\r\n"), bad_request},
    {"folded_field", get("/a", "X: 1\r\n 2\r\n"), bad_request},
    {"field_folded_by_a_tab", get("/a", "X: 1\r\n\t2\r\n"), bad_request},
    {"space_before_the_first_field", "GET /a HTTP/1.1\r\n Host: lab\r\n\r\n", bad_request},
    {"field_without_a_colon", get("/a", "Nonsense\r\n"), bad_request},
    {"field_without_a_name", get("/a", ": 1\r\n"), bad_request},
    {"nul_in_a_field", get("/a", {"X: a\0b\r\n", 8}), bad_request},
    {"nul_in_a_field_name", get("/a", {"X\0: 1\r\n", 7}), bad_request},
    {"control_character_in_a_field", get("/a", "X: a\x7f\r\n"), bad_request},
    {"connection_that_is_no_list", get("/a", "Connection: a b\r\n"), bad_request},

    {"no_version", line("GET /a"), bad_request},
    {"no_version_and_no_field", "GET /a\r\n\r\n", bad_request},
    {"no_version_but_a_space", "GET /a \r\n\r\n", bad_request},
    {"half_a_version", "GET /a HT\r\n\r\n", bad_request},
    {"protocol_in_small_letters", line("GET /a http/1.1"), bad_request},
    {"version_with_a_space_behind", line("GET /a HTTP/1.1 "), bad_request},
    {"two_spaces_before_the_version", line("GET /a  HTTP/1.1"), bad_request},
    {"version_with_three_digits", line("GET /a HTTP/1.10"), bad_request},
    {"http_0_9", line("GET /a HTTP/0.9"), bad_version},
    {"http_2", line("GET /a HTTP/2.0"), bad_version},
    {"preface_of_http_2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", bad_version},
    {"no_target", line("GET  HTTP/1.1"), bad_request},
    {"two_spaces_before_the_target", line("GET  /a HTTP/1.1"), bad_request},
    {"target_without_a_slash", line("GET a HTTP/1.1"), bad_request},
    {"target_with_a_tab", line("GET /a\tb HTTP/1.1"), bad_request},
    {"nul_in_the_target", line({"GET /\0 HTTP/1.1", 15}), bad_request},
    {"target_with_a_fragment", line("GET /a#b HTTP/1.1"), bad_request},
    {"asterisk_for_get", line("GET * HTTP/1.1"), bad_request},
    {"target_over_8_kib", line("GET /" + std::string(8192, 'a') + " HTTP/1.1"), "414 URI Too Long"},
    {"target_without_end", "GET /" + std::string(20'000, 'a'), "414 URI Too Long"},
    {"head_over_16_kib", get("/a", "X: " + std::string(16'384, 'x') + "\r\n"),
     "431 Request Header Fields Too Large"},
    {"head_without_end", "GET /a HTTP/1.1\r\nX: " + std::string(16'384, 'x'),
     "431 Request Header Fields Too Large"},

    {"unknown_method", line("BREW /a HTTP/1.1"), not_implemented},
    {"method_in_small_letters", line("get /a HTTP/1.1"), not_implemented},
    {"method_that_is_no_token", line("G(T /a HTTP/1.1"), bad_request},
    {"no_method", line(" /a HTTP/1.1"), bad_request},
    {"a_tls_greeting", "\x16\x03\x01\x02\x01\x01\r\n\r\n", bad_request},
    {"unknown_expectation", get("/a", "Expect: wonders\r\n"), "417 Expectation Failed"},

    {"unequal_lengths", post + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", bad_request},
    {"same_length_twice", post + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
     bad_request},
    {"length_that_is_negative", length("-5"), bad_request},
    {"length_with_a_sign", length("+5"), bad_request},
    {"length_in_hex", length("0x5"), bad_request},
    {"length_with_a_space", length("5 5"), bad_request},
    {"length_with_a_letter", length("5a"), bad_request},
    {"length_with_a_fraction", length("5.0"), bad_request},
    {"length_in_quotes", length("\"5\""), bad_request},
    {"length_that_is_empty", length(""), bad_request},
    {"length_that_is_a_list", length("5, 5"), bad_request},
    {"length_of_2_to_the_64", length("18446744073709551616"), bad_request},
    {"length_of_2_to_the_64_and_5", length("18446744073709551621"), bad_request},
    {"length_over_the_maximum", length("1048577"), too_large},
    {"length_of_2_to_the_63", length("9223372036854775808"), too_large},

    {"length_before_a_coding",
     post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", bad_request},
    {"length_after_a_coding",
     post + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", bad_request},
    {"unknown_coding", coding("gzip"), not_implemented},
    {"coding_that_begins_like_chunked", coding("chunkedx"), not_implemented},
    {"coding_that_ends_like_chunked", coding("xchunked"), not_implemented},
    {"unknown_coding_and_chunked", coding("gzip, chunked"), not_implemented},
    {"unknown_coding_and_chunked_in_two_lines", coding("gzip\r\nTransfer-Encoding: chunked"),
     not_implemented},
    {"chunked_not_last", coding("chunked, gzip"), bad_request},
    {"chunked_twice", coding("chunked, chunked"), bad_request},
    {"chunked_twice_in_two_lines", coding("chunked\r\nTransfer-Encoding: chunked"), bad_request},
    {"coding_in_http_1_0", "POST /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     bad_request},

    {"chunk_without_a_size", chunked + "\r\nhello\r\n0\r\n\r\n", bad_request},
    {"chunk_with_a_negative_size", chunked + "-5\r\nhello\r\n0\r\n\r\n", bad_request},
    {"chunk_with_a_0x", chunked + "0x5\r\nhello\r\n0\r\n\r\n", bad_request},
    {"chunk_with_a_space_before_its_size", chunked + " 5\r\nhello\r\n0\r\n\r\n", bad_request},
    {"chunk_of_2_to_the_64_and_5", chunked + "10000000000000005\r\nhello\r\n0\r\n\r\n",
     bad_request},
    {"chunk_that_is_longer_than_its_size", chunked + "4\r\nhello\r\n0\r\n\r\n", bad_request},
    {"chunk_size_that_ends_in_lf", chunked + "5\nhello\r\n0\r\n\r\n", bad_request},
    {"chunk_that_ends_in_lf", chunked + "5\r\nhello\n0\r\n\r\n", bad_request},
    {"lf_in_a_chunk_extension", chunked + "5;a=\"x\ny\"\r\nhello\r\n0\r\n\r\n", bad_request},
    {"nul_in_a_chunk_extension", chunked + std::string("5;a=\"\0\"\r\nhello\r\n0\r\n\r\n", 22),
     bad_request},
    {"chunk_extension_without_a_name", chunked + "5;=1\r\nhello\r\n0\r\n\r\n", bad_request},
    {"chunk_extension_without_its_second_quote", chunked + "5;a=\"x\r\nhello\r\n0\r\n\r\n",
     bad_request},
    {"chunk_extension_over_8_kib",
     chunked + "5;" + std::string(8192, 'x') + "\r\nhello\r\n0\r\n\r\n", bad_request},
    {"trailer_over_8_kib", chunked + "0\r\nX: " + std::string(8192, 'x') + "\r\n\r\n", bad_request},
    {"bare_lf_in_a_trailer", chunked + "0\r\nX: 1\nY: 2\r\n\r\n", bad_request},
    {"length_in_a_trailer", chunked + "0\r\nContent-Length: 5\r\n\r\n", bad_request},
    {"chunks_over_the_maximum", chunked + "100000\r\n" + std::string(1048576, 'x') + "\r\n1\r\n",
     too_large},
};

// Checks a refusal to the last byte, but leaves its wording free.
void expect_refusal(const std::string& said, const std::string& status) {
  const std::string reason = said.substr(std::min(said.find("\r\n\r\n"), said.size() - 4) + 4);
  EXPECT_EQ(said, reply(status, reason, "close"));
  EXPECT_TRUE(reason.starts_with(status + ": ") && reason.ends_with('\n')) << reason;
}

class Refusal : public testing::TestWithParam<Case> {};

TEST_P(Refusal, ArrivesBeforeTheConnectionIsClosed) {
  Talk talk;
  const std::string said = talk.say(GetParam().sent);
  ASSERT_GE(said.size(), 4U) << "no reply";
  expect_refusal(said, GetParam().status);

  ASSERT_EQ(talk.session.want(), Want::half_close);
  talk.session.half_closed(talk.now);
  const Time until = talk.now + 2s;
  EXPECT_EQ(talk.session.want(), Want::read) << "what still comes is read away";
  EXPECT_EQ(talk.session.deadline(), until);
  talk.pass(1s);
  EXPECT_EQ(talk.say(get("/b")), "") << "and nothing more is answered";
  EXPECT_EQ(talk.session.want(), Want::read);
  EXPECT_EQ(talk.session.deadline(), until) << "nor does it win time";
  talk.pass(1s);
  EXPECT_EQ(talk.session.want(), Want::close);
}

TEST_P(Refusal, LeavesTheRepliesBeforeItAlone) {
  Talk talk;
  const std::string said = talk.say(get("/b") + GetParam().sent);
  const std::string before = ok("GET /b");
  ASSERT_TRUE(said.starts_with(before)) << said;
  ASSERT_GE(said.size(), before.size() + 4) << "no refusal";
  expect_refusal(said.substr(before.size()), GetParam().status);
}

INSTANTIATE_TEST_SUITE_P(Of, Refusal, testing::ValuesIn(cases),
                         [](const auto& refused) { return std::string(refused.param.name); });

TEST(Limits, AHeadOf16KibIsRead) {
  Talk talk;
  const std::size_t around = get("/a", "X: \r\n").size();
  const std::string head = get("/a", "X: " + std::string(16 * 1024 - around, 'x') + "\r\n");
  ASSERT_EQ(head.size(), std::size_t{16 * 1024});
  EXPECT_EQ(talk.say(head), ok("GET /a"));
}

TEST(Limits, ATargetOf8KibIsRead) {
  Talk talk;
  const std::string target = "/" + std::string(8 * 1024 - 1, 'a');
  EXPECT_EQ(talk.say(get(target)), ok("GET " + target));
}

TEST(Limits, ABodyOfTheMaximumIsReadAndOneByteMoreIsNot) {
  http::Settings small = settings();
  small.max_body = 10;
  const std::string ten = "0123456789";
  EXPECT_EQ(Talk(small).say(post + "Content-Length: 10\r\n\r\n" + ten), ok("POST /a: " + ten));
  EXPECT_EQ(Talk(small).say(chunked + "5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n"),
            ok("POST /a: " + ten));
  expect_refusal(Talk(small).say(post + "Content-Length: 11\r\n\r\n"), too_large);
  expect_refusal(Talk(small).say(chunked + "5\r\n01234\r\n6\r\n"), too_large);
}

TEST(Refusal, OfABodyComesInsteadOf100Continue) {
  Talk talk;
  expect_refusal(talk.say(post + "Expect: 100-continue\r\nContent-Length: 1048577\r\n\r\n"),
                 too_large);
}

TEST(Refusal, EndsAtOnceWhenTheClientHasEnded) {
  Talk talk;
  expect_refusal(talk.say(line("BREW /a HTTP/1.1")), not_implemented);
  talk.session.half_closed(talk.now);
  talk.session.peer_closed();
  EXPECT_EQ(talk.session.want(), Want::close);
}

}  // namespace
}  // namespace tests
