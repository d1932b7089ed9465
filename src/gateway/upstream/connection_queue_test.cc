#include "gateway/upstream/connection_queue.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "gateway/upstream/cluster.h"

namespace gatehouse::gateway {
namespace {

struct Pool final : ConnectionQueue::Member {
  void turn_came(std::shared_ptr<Cluster>, std::uint64_t ticket, Admission) override { turns.push_back(ticket); }
  void others_wait(std::shared_ptr<Cluster>) override { ++asked; }
  std::vector<std::uint64_t> turns;
  int asked = 0;
};

TEST(ConnectionQueue, FirstComeFirstServedOverAllPools) {
  ConnectionQueue queue;
  Pool a, b;
  const auto one = queue.join(a), two = queue.join(b), three = queue.join(a);
  EXPECT_TRUE(one.first);
  EXPECT_FALSE(two.first);
  EXPECT_EQ(queue.take_first()->number, one.number);
  const auto next = queue.take_first();
  EXPECT_EQ(next->number, two.number);
  EXPECT_EQ(next->member, &b);
  EXPECT_EQ(queue.take_first()->number, three.number);
  EXPECT_FALSE(queue.take_first().has_value());
  EXPECT_TRUE(queue.join(b).first);
}

TEST(ConnectionQueue, OneThatIsPutBackKeepsItsTurn) {
  ConnectionQueue queue;
  Pool a;
  const auto one = queue.join(a);
  queue.join(a);
  const auto taken = queue.take_first();
  queue.put_back(*taken);
  EXPECT_EQ(queue.take_first()->number, one.number);
}

TEST(ConnectionQueue, WhoLeavesIsNotServed) {
  ConnectionQueue queue;
  Pool a;
  const auto one = queue.join(a), two = queue.join(a);
  queue.leave(one.number);
  EXPECT_EQ(queue.take_first()->number, two.number);
  queue.leave(two.number);  // taken already: nothing happens
  EXPECT_TRUE(queue.empty());
}

TEST(ConnectionQueue, ASharedConnectionServesItsOwnPool) {
  ConnectionQueue queue;
  Pool a, b;
  const auto one = queue.join(a), two = queue.join(b);
  EXPECT_EQ(queue.take_first_of(b)->number, two.number);
  EXPECT_FALSE(queue.take_first_of(b).has_value());
  EXPECT_EQ(queue.take_first()->number, one.number);
}

TEST(ConnectionQueue, TellsTheOtherPools) {
  ConnectionQueue queue;
  Pool a, b, gone;
  queue.add_member(a);
  queue.add_member(b);
  queue.add_member(gone);
  queue.remove_member(gone);
  queue.tell_others(nullptr, a);
  EXPECT_EQ(a.asked, 0);
  EXPECT_EQ(b.asked, 1);
  EXPECT_EQ(gone.asked, 0);
}

TEST(Limit, TryingDoesNotCountAsRefused) {
  Limit limit(1);
  const Admission only = limit.try_admit();
  EXPECT_TRUE(only);
  EXPECT_FALSE(limit.try_admit());
  EXPECT_EQ(limit.refused(), 0u);
  EXPECT_FALSE(limit.admit());
  EXPECT_EQ(limit.refused(), 1u);
}

}  // namespace
}  // namespace gatehouse::gateway
