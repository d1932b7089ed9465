#include "telemetry/metric_lines.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "telemetry/metric_reading.h"
#include "telemetry/otlp.h"
#include "telemetry/record_sample.h"
#include "telemetry/trace.h"

namespace gatehouse::telemetry {
namespace {

using Json = nlohmann::json;

struct Lines : testing::Test {
  Lines() {
    metrics.count(Metric::requests, {"public", "all", "2xx", "pass"}, 3);
    metrics.count(Metric::requests, {"a|b,c=d #e\n\"\\", "x:y", "", "\xc3\xa9"}, 2);
    ShardMetrics& shard = metrics.shard(0);
    const SeriesId series = shard.id(Metric::request_duration, {"all"});
    shard.observe(Metric::request_duration, series, std::chrono::milliseconds(7));
    shard.observe(Metric::request_duration, series, std::chrono::seconds(20));
  }
  Metrics metrics{1};
};

TEST_F(Lines, DogStatsd) {
  StatsdLines lines(StatsdLines::Labels::tags);
  std::string out;
  EXPECT_EQ(lines.append(metrics, out), 4u);
  EXPECT_EQ(out,
            "gatehouse_requests_total:3|c|#listener:public,route:all,status_class:2xx,verdict:pass\n"
            "gatehouse_requests_total:2|c|#listener:a_b_c_d__e___,route:x:y,verdict:__\n"
            "gatehouse_request_duration_seconds_count:2|c|#route:all\n"
            "gatehouse_request_duration_seconds_sum:20.007|c|#route:all\n");
  out.clear();
  EXPECT_EQ(lines.append(metrics, out), 0u) << "only what was added is told";
  metrics.count(Metric::requests, {"public", "all", "2xx", "pass"});
  lines.append(metrics, out);
  EXPECT_EQ(out, "gatehouse_requests_total:1|c|#listener:public,route:all,status_class:2xx,verdict:pass\n");
}

TEST_F(Lines, PlainStatsd) {
  StatsdLines lines(StatsdLines::Labels::in_name);
  std::string out;
  lines.append(metrics, out);
  EXPECT_EQ(out,
            "gatehouse_requests_total.public.all.2xx.pass:3|c\n"
            "gatehouse_requests_total.a_b_c_d__e___.x_y.none.__:2|c\n"
            "gatehouse_request_duration_seconds_count.all:2|c\n"
            "gatehouse_request_duration_seconds_sum.all:20.007|c\n");
}

TEST_F(Lines, Influx) {
  std::string out;
  EXPECT_EQ(append_influx(metrics, WallTime(std::chrono::seconds(1'750'000'000)), out), 3u);
  EXPECT_EQ(
      out,
      "gatehouse_requests_total,listener=public,route=all,status_class=2xx,verdict=pass value=3 1750000000000000000\n"
      "gatehouse_requests_total,listener=a_b_c_d__e___,route=x:y,verdict=__ value=2 1750000000000000000\n"
      "gatehouse_request_duration_seconds,route=all count=2,sum=20.007,le_0.005=0,le_0.01=1,le_0.025=1,le_0.05=1,"
      "le_0.075=1,le_0.1=1,le_0.25=1,le_0.5=1,le_0.75=1,le_1.0=1,le_2.5=1,le_5.0=1,le_7.5=1,le_10.0=1 "
      "1750000000000000000\n");
}

TEST_F(Lines, Otlp) {
  std::string out;
  append_otlp_head(OtlpSignal::metrics, out);
  EXPECT_EQ(append_otlp_metrics(metrics, WallTime{}, WallTime(std::chrono::seconds(9)), out), 3u);
  append_otlp_tail(OtlpSignal::metrics, out);
  const Json all = Json::parse(out)["resourceMetrics"][0]["scopeMetrics"][0]["metrics"];
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0]["name"], "gatehouse_requests");
  EXPECT_EQ(all[0]["sum"]["dataPoints"].size(), 2u);
  EXPECT_EQ(all[0]["sum"]["dataPoints"][0]["timeUnixNano"], "9000000000");
  const Json& point = all[1]["histogram"]["dataPoints"][0];
  EXPECT_EQ(point["count"], "2");
  EXPECT_EQ(point["bucketCounts"].size(), point["explicitBounds"].size() + 1);
  EXPECT_EQ(point["bucketCounts"][1], "1");
  EXPECT_EQ(point["bucketCounts"][14], "1");
  EXPECT_DOUBLE_EQ(point["sum"], 20.007);
}

struct OneExemplar final : ExemplarSource {
  bool find(Metric metric, std::span<const std::string> labels, std::size_t bucket, Exemplar& exemplar) const override {
    exemplar = {"4bf92f3577b34da6a3ce929d0e0e4736", 0.007, 1750000000.25};
    return metric == Metric::request_duration && labels[0] == "all" && bucket == 1;
  }
};

TEST_F(Lines, ExemplarsAreOpenMetricsOnly) {
  const OneExemplar one;
  metrics.set_exemplars(&one);
  const std::string with = "le=\"0.01\"} 1 # {trace_id=\"4bf92f3577b34da6a3ce929d0e0e4736\"} 0.007 1750000000.250\n";
  EXPECT_NE(metrics.render(MetricsFormat::open_metrics).find(with), std::string::npos);
  EXPECT_EQ(metrics.render(MetricsFormat::text).find(" # "), std::string::npos);
}

TEST(OtlpRecords, Span) {
  DecisionRecord record = sample_record();
  std::string out;
  append_otlp_span(record, out);
  const Json span = Json::parse(out);
  const SpanId id = span_of_request(record.request_id);
  EXPECT_EQ(span["spanId"], std::string(id.data(), id.size()));
  EXPECT_EQ(span["startTimeUnixNano"], "1750000000123456000");
  EXPECT_EQ(span["endTimeUnixNano"], "1750000000126206000");
  EXPECT_FALSE(span.contains("status"));
  record.status = 502, record.reason = "upstream.connect_failure";
  out.clear();
  append_otlp_span(record, out);
  EXPECT_EQ(Json::parse(out)["status"]["code"], 2);
}

TEST(SpanOfRequest, IsNeverZeroAndHasSixteenDigits) {
  for (const char* text : {"", "0", "00000000000000000000000000", "01jxt1rqwvh7r3k9w2m4d8c6f5", "\xff\xff"}) {
    const SpanId id = span_of_request(text);
    const std::string hex(id.data(), id.size());
    EXPECT_EQ(hex.find_first_not_of("0123456789abcdef"), std::string::npos);
    EXPECT_NE(hex, std::string(16, '0'));
  }
}

}  // namespace
}  // namespace gatehouse::telemetry
