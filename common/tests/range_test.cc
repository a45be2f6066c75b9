#include "app/range.hh"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

namespace {

// "first+length", "unsatisfiable", or "ignored".
std::string read(const char* field, std::uint64_t size) {
  const auto range = app::parse_range(field, size);
  if (!range) return "ignored";
  if (range->length == 0) return "unsatisfiable";
  return std::to_string(range->first) + "+" + std::to_string(range->length);
}

struct Row {
  const char* field;
  std::uint64_t size;
  const char* meaning;
};

TEST(Range, IsReadAsRfc9110Section14Says) {
  const std::vector<Row> table{
      {"bytes=0-0", 100, "0+1"},
      {"bytes=0-99", 100, "0+100"},
      {"bytes=10-19", 100, "10+10"},
      {"bytes=99-", 100, "99+1"},
      {"bytes=0-", 100, "0+100"},
      {"bytes=90-1000", 100, "90+10"},
      {"bytes=-1", 100, "99+1"},
      {"bytes=-100", 100, "0+100"},
      {"bytes=-1000", 100, "0+100"},
      {"bytes=5-99999999999999999999999", 100, "5+95"},
      {"bytes=-99999999999999999999999", 100, "0+100"},
      {"bytes=0-18446744073709551615", 100, "0+100"},

      {"bytes=100-", 100, "unsatisfiable"},
      {"bytes=100-200", 100, "unsatisfiable"},
      {"bytes=99999999999999999999999-", 100, "unsatisfiable"},
      {"bytes=-0", 100, "unsatisfiable"},
      {"bytes=0-", 0, "unsatisfiable"},
      {"bytes=0-5", 0, "unsatisfiable"},
      {"bytes=-5", 0, "unsatisfiable"},

      {"", 100, "ignored"},
      {"bytes", 100, "ignored"},
      {"bytes=", 100, "ignored"},
      {"bytes=-", 100, "ignored"},
      {"bytes=5", 100, "ignored"},
      {"bytes=5-4", 100, "ignored"},
      {"bytes=a-b", 100, "ignored"},
      {"bytes=+1-2", 100, "ignored"},
      {"bytes=1--2", 100, "ignored"},
      {"bytes=--2", 100, "ignored"},
      {"bytes=1-2x", 100, "ignored"},
      {"bytes=0x1-2", 100, "ignored"},
      {"bytes=0-1,5-6", 100, "ignored"},
      {"bytes 0-1", 100, "ignored"},
      {"lines=0-1", 100, "ignored"},
  };
  for (const auto& [field, size, meaning] : table) EXPECT_EQ(read(field, size), meaning) << field;
}

}  // namespace
