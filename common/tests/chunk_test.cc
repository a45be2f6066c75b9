#include "http/chunk.hh"

#include <gtest/gtest.h>

namespace {

using http::chunk_lines_are_malformed;

TEST(ChunkLines, MayStillBecomeAHeader) {
  for (const char* lines :
       {"", "\r", "\r\n", "5", "5\r", "\r\n5;a=\"x", "5;a=\"x\ty", "0\r\nX: 1\r\nY"})
    EXPECT_FALSE(chunk_lines_are_malformed(lines)) << testing::PrintToString(lines);
}

TEST(ChunkLines, AreWellFormed) {
  for (const char* lines : {"5\r\n", "\r\n5;a=\"x\"\r\n", "5;a=\"\\\"\";b\r\n", "0\r\n\r\n",
                            "\r\n000;a\r\nX: \"\r\n\r\n"})
    EXPECT_FALSE(chunk_lines_are_malformed(lines)) << testing::PrintToString(lines);
}

TEST(ChunkLines, AreNotLookedAtBehindTheirEnd) {
  EXPECT_FALSE(chunk_lines_are_malformed("5\r\na\n\"b\"\n\r\n"));
  EXPECT_FALSE(chunk_lines_are_malformed("0a\r\n\n\n\n"));
  EXPECT_FALSE(chunk_lines_are_malformed("0\r\n\r\n\n"));
}

TEST(ChunkLines, AreMalformedWithABareLf) {
  for (const char* lines :
       {"\n", "5\n", "\r\n5\n", "5;a=\"x\n", "0\n", "0\r\n\n", "0\r\nX: 1\n", "0\r\nX: 1\r\nY\n"})
    EXPECT_TRUE(chunk_lines_are_malformed(lines)) << testing::PrintToString(lines);
}

TEST(ChunkLines, AreMalformedWhenAQuoteIsLeftOpen) {
  for (const char* lines :
       {"5;a=\"\r\n", "\r\n5;a=\"x\\\"\r\n", "0;a=\"x\r\n", "5;a=\"x\";b=\"\r\n"})
    EXPECT_TRUE(chunk_lines_are_malformed(lines)) << testing::PrintToString(lines);
}

}  // namespace
