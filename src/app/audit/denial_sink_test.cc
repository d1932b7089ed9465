#include "app/audit/denial_sink.h"

#include <gtest/gtest.h>

namespace gatehouse::app {
namespace {

class DenialSinkTest : public testing::Test {
 protected:
  void deny(const std::string& client, std::string_view reason = "waf.score") {
    telemetry::DecisionRecord record;
    record.request_id = "01jxt1rqwvh7r3k9w2m4d8c6f5";
    record.client_ip = *IpAddress::parse(client);
    record.route = "orders";
    record.layer = telemetry::Layer::waf;
    record.reason = reason;
    record.verdict = telemetry::Verdict::deny;
    record.status = 403;
    sink_.take(record);
  }
  // All that is told, whole or in a sum.
  std::uint64_t told() const {
    std::uint64_t sum = 0;
    for (const audit::Entry& entry : entries_) {
      if (entry.action == "request.deny") ++sum;
      for (const auto& [name, value] : entry.details) {
        if (name == "requests") sum += std::stoull(value);
      }
    }
    return sum;
  }

  FakeClock clock_;
  std::vector<audit::Entry> entries_;
  DenialSink sink_{[this](audit::Entry entry) { entries_.push_back(std::move(entry)); }, clock_};
};

TEST_F(DenialSinkTest, FewAreEntriesOfTheirOwn) {
  for (int i = 0; i < 500; ++i) deny("192.0.2.1");
  sink_.flush();
  ASSERT_EQ(entries_.size(), 500u);
  EXPECT_EQ(entries_[0].action, "request.deny");
  EXPECT_EQ(entries_[0].target, "route:orders");
  EXPECT_EQ(entries_[0].personal[0], (std::pair<std::string, std::string>("client_ip", "192.0.2.1")));
}

// A flood by one, beside a few by others: each is named with its number, and none is left out.
TEST_F(DenialSinkTest, AFloodIsSummedUpByWhoAndWhy) {
  for (int i = 0; i < 50'000; ++i) deny("192.0.2.1");
  deny("192.0.2.2");
  deny("192.0.2.2", "rate.exceeded");
  EXPECT_EQ(entries_.size(), std::size_t(DenialSink::kBurst));
  sink_.flush();
  EXPECT_EQ(entries_.size(), std::size_t(DenialSink::kBurst)) << "sums have their time";
  clock_.advance(DenialSink::kSumEvery);
  sink_.flush();
  EXPECT_EQ(entries_.size(), std::size_t(DenialSink::kBurst) + 3);
  EXPECT_EQ(told(), 50'002u);
  EXPECT_EQ(entries_.back().personal[0].second, "192.0.2.2");
  clock_.advance(DenialSink::kSumEvery);
  sink_.flush();
  EXPECT_EQ(told(), 50'002u) << "told once";
  for (int i = 0; i < 100; ++i) deny("192.0.2.3");
  EXPECT_EQ(told(), 50'102u) << "there is room again";
}

// From a million addresses for a day: what is written is bounded, and the number is right.
TEST_F(DenialSinkTest, ABotnetDoesNotFillTheDisk) {
  std::uint64_t sent = 0;
  for (int second = 0; second < 600; ++second) {
    for (int i = 0; i < 200; ++i, ++sent) deny("10." + std::to_string(second % 256) + "." + std::to_string(i) + ".1");
    clock_.advance(std::chrono::seconds(1));
    sink_.flush();
  }
  sink_.finish();
  EXPECT_EQ(told(), sent);
  EXPECT_LT(entries_.size(), 1000u + 600 * 10 + 61 * (DenialSink::kGroupsMax + 1));
}

TEST_F(DenialSinkTest, WhatWasOverwrittenIsTold) {
  sink_.missed(7);
  sink_.flush();
  ASSERT_EQ(entries_.size(), 1u);
  EXPECT_EQ(entries_[0].action, "audit.records_missed");
}

}  // namespace
}  // namespace gatehouse::app
