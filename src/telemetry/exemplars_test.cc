#include "telemetry/exemplars.h"

#include <gtest/gtest.h>

#include "telemetry/metrics.h"
#include "telemetry/record_sample.h"

namespace gatehouse::telemetry {
namespace {

struct Exemplars : testing::Test {
  void happens(const DecisionRecord& record) {
    metrics.shard(0).record(record);
    exemplars.take(record);
  }
  std::string page(MetricsFormat format) {
    metrics.set_exemplars(&exemplars);
    return metrics.render(format);
  }
  bool find(Metric metric, std::string route, std::size_t bucket) {
    const std::array<std::string, 1> labels{std::move(route)};
    return exemplars.find(metric, labels, bucket, found);
  }
  Metrics metrics{1};
  RecordExemplars exemplars;
  Exemplar found;
};

TEST_F(Exemplars, StandBehindTheirBucketInOpenMetricsAlone) {
  happens(sample_record());
  const std::string text = page(MetricsFormat::open_metrics);
  for (const char* line : {
           "gatehouse_request_duration_seconds_bucket{route=\"orders-read\",le=\"0.005\"} 1"
           " # {trace_id=\"4bf92f3577b34da6a3ce929d0e0e4736\"} 0.00275 1750000000.126\n",
           "gatehouse_request_duration_seconds_bucket{route=\"orders-read\",le=\"0.01\"} 1\n",
           "gatehouse_own_duration_seconds_bucket{le=\"7.5e-05\"} 1"
           " # {trace_id=\"4bf92f3577b34da6a3ce929d0e0e4736\"} 6.4e-05 1750000000.126\n",
       }) {
    EXPECT_NE(text.find(line), std::string::npos) << line << "\nis not in\n" << text;
  }
  EXPECT_EQ(page(MetricsFormat::text).find("trace_id"), std::string::npos);
  metrics.set_exemplars(nullptr);
  EXPECT_EQ(metrics.render(MetricsFormat::open_metrics).find("trace_id"), std::string::npos);
}

TEST_F(Exemplars, LieInTheBucketThatCountedThem) {
  for (const std::uint64_t us : {0u, 5000u, 5001u, 10'000'000u, 10'000'001u, 4'000'000'000u}) {
    DecisionRecord record = sample_record();
    const std::string route = std::to_string(us);
    record.route = route, record.duration_us = us;
    happens(record);
    const std::size_t bucket = us <= 5000 ? 0 : us == 5001 ? 1 : us == 10'000'000 ? kBuckets - 1 : kBuckets;
    for (std::size_t i = 0; i <= kBuckets + 1; ++i) {
      EXPECT_EQ(find(Metric::request_duration, route, i), i == bucket) << us << " in " << i;
    }
    ASSERT_TRUE(find(Metric::request_duration, route, bucket));
    EXPECT_DOUBLE_EQ(found.seconds, static_cast<double>(us) / 1e6);
  }
}

TEST_F(Exemplars, TheNewestStands) {
  happens(sample_record());
  DecisionRecord record = sample_record();
  record.trace_id[0] = 'f';
  happens(record);
  ASSERT_TRUE(find(Metric::request_duration, "orders-read", 0));
  EXPECT_EQ(found.trace_id, "fbf92f3577b34da6a3ce929d0e0e4736");
}

TEST_F(Exemplars, NoneWithoutATraceOrOfOtherMetrics) {
  DecisionRecord record = sample_record();
  record.trace_id = {};
  happens(record);
  EXPECT_FALSE(find(Metric::request_duration, "orders-read", 0));
  happens(sample_record());
  EXPECT_FALSE(find(Metric::upstream_duration, "orders-read", 0));
  EXPECT_FALSE(find(Metric::request_duration, "other", 0));
  EXPECT_FALSE(exemplars.find(Metric::request_duration, {}, 0, found));
}

TEST_F(Exemplars, RoutesAreBounded) {
  const std::size_t most = info_of(Metric::request_duration).series_max;
  for (std::size_t i = 0; i < most + 100; ++i) {
    DecisionRecord record = sample_record();
    const std::string route = "route-" + std::to_string(i);
    record.route = route;
    exemplars.take(record);
  }
  EXPECT_TRUE(find(Metric::request_duration, "route-" + std::to_string(most - 1), 0));
  EXPECT_FALSE(find(Metric::request_duration, "route-" + std::to_string(most), 0));
}

TEST_F(Exemplars, OfALargeBatchTheFirstAndAFew) {
  std::size_t wanted = 0;
  for (std::size_t i = 0; i < 100'000; ++i) {
    PackedKey key{};
    key.request_id = packed_id("01jxt1rqwvh7r3k9w2m4d" + std::to_string(10'000 + i % 90'000));
    key.verdict = Verdict::pass;
    if (!exemplars.wants(key)) continue;
    ++wanted;
    exemplars.take(sample_record());
  }
  EXPECT_GE(wanted, RecordExemplars::kPerBatch);
  EXPECT_LT(wanted, 3000u);
  exemplars.flush();
  EXPECT_TRUE(exemplars.wants({}));
}

}  // namespace
}  // namespace gatehouse::telemetry
