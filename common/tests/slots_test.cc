#include "server/slots.hh"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <vector>

namespace {

using Slots = server::Slots<std::unique_ptr<int>>;  // a connection can be moved, not copied

std::unique_ptr<int> tenant(int n) { return std::make_unique<int>(n); }

TEST(Slots, FindWhatWasInserted) {
  Slots slots;
  const auto seven = slots.insert(tenant(7));
  const auto eight = slots.insert(tenant(8));
  EXPECT_NE(seven, eight);
  EXPECT_EQ(**slots.find(seven), 7);
  EXPECT_EQ(**slots.find(eight), 8);
  EXPECT_EQ(*slots.at(eight), 8);
  EXPECT_EQ(slots.size(), 2U);
}

TEST(Slots, FindNothingForAnIdThatNeverWas) {
  Slots slots;
  EXPECT_EQ(slots.find(0), nullptr);
  slots.insert(tenant(7));
  EXPECT_EQ(slots.find(1), nullptr);
  EXPECT_EQ(slots.find(UINT64_MAX), nullptr);
}

TEST(Slots, FindNothingForAnIdWhoseTenantHasGone) {
  Slots slots;
  const auto old = slots.insert(tenant(7));
  slots.erase(old);
  EXPECT_EQ(slots.find(old), nullptr);
  EXPECT_EQ(slots.size(), 0U);

  const auto next = slots.insert(tenant(8));
  EXPECT_EQ(static_cast<std::uint32_t>(next), static_cast<std::uint32_t>(old)) << "the same slot";
  EXPECT_NE(next, old);
  EXPECT_EQ(slots.find(old), nullptr) << "a late event must not reach the new tenant";
  EXPECT_EQ(**slots.find(next), 8);
}

TEST(Slots, EraseOnlyOnce) {
  Slots slots;
  const auto old = slots.insert(tenant(7));
  slots.erase(old);
  const auto next = slots.insert(tenant(8));
  slots.erase(old);
  EXPECT_EQ(slots.size(), 1U);
  EXPECT_NE(slots.find(next), nullptr);
}

TEST(Slots, DestroyATenantWhenItIsErased) {
  server::Slots<std::shared_ptr<int>> slots;
  const auto guest = std::make_shared<int>(7);
  const auto id = slots.insert(guest);
  EXPECT_EQ(guest.use_count(), 2);
  slots.erase(id);
  EXPECT_EQ(guest.use_count(), 1);
}

TEST(Slots, MoveNobodyWhenTheyGrow) {
  Slots slots;
  const auto first = slots.insert(tenant(0));
  const auto* const before = slots.find(first);
  for (int i = 1; i < 10'000; ++i) slots.insert(tenant(i));
  EXPECT_EQ(slots.find(first), before);
}

TEST(Slots, UseEmptySlotsAgainBeforeTheyGrow) {
  Slots slots;
  for (int i = 0; i < 1000; ++i) {
    const auto one = slots.insert(tenant(1));
    const auto other = slots.insert(tenant(2));
    EXPECT_LT(static_cast<std::uint32_t>(std::max(one & 0xffffffff, other & 0xffffffff)), 2U);
    slots.erase(one);
    slots.erase(other);
  }
}

TEST(Slots, NameAllWhoAreHere) {
  Slots slots;
  std::vector<Slots::Id> here{slots.insert(tenant(1)), slots.insert(tenant(2)),
                              slots.insert(tenant(3))};
  slots.erase(here[1]);
  here.erase(here.begin() + 1);
  EXPECT_EQ(slots.ids(), here);
  for (const auto id : slots.ids()) slots.erase(id);
  EXPECT_TRUE(slots.ids().empty());
}

}  // namespace
