#include "http/date.hh"

#include <gtest/gtest.h>

#include <ctime>
#include <string>

namespace {

using http::format_date;
using http::parse_date;

constexpr std::time_t example =
    784111777;  // the date that RFC 9110 section 5.6.7 writes three times

TEST(Date, IsWrittenAsTheRfcWants) {
  EXPECT_EQ(format_date(example), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(format_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
}

TEST(Date, IsReadInAllThreeForms) {
  EXPECT_EQ(parse_date("Sun, 06 Nov 1994 08:49:37 GMT"), example);
  EXPECT_EQ(parse_date("Sunday, 06-Nov-94 08:49:37 GMT"), example);
  EXPECT_EQ(parse_date("Sun Nov  6 08:49:37 1994"), example);
}

TEST(Date, IsReadAsItWasWritten) {
  for (const std::time_t when :
       {std::time_t{0}, example, std::time_t{1'709'210'096}, std::time_t{4'102'444'800}})
    EXPECT_EQ(parse_date(format_date(when)), when);
}

TEST(Date, IsNothingElse) {
  for (const char* text :
       {"", "yesterday", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun, 06 Nov 1994 08:49:37 CET", "Sun, 06 Nov 1994 25:49:37 GMT", "784111777"})
    EXPECT_FALSE(parse_date(text)) << text;
  EXPECT_FALSE(parse_date(std::string("Sun, 06 Nov 1994 08:49:37 GMT\0x", 31)));
}

TEST(CurrentDate, IsToday) {
  const std::time_t before = std::time(nullptr);
  const auto said = parse_date(http::current_date());
  const std::time_t after = std::time(nullptr);
  ASSERT_TRUE(said) << http::current_date();
  EXPECT_LE(before - 1, *said);  // the clock that it reads may be a tick behind
  EXPECT_LE(*said, after);
}

}  // namespace
