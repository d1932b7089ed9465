#include "telemetry/metrics.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <thread>

#include "telemetry/record_sample.h"

namespace gatehouse::telemetry {
namespace {

using namespace std::chrono_literals;

std::vector<std::string> lines_with(const std::string& text, std::string_view needle) {
  std::vector<std::string> found;
  for (std::size_t at = 0, end; (end = text.find('\n', at)) != std::string::npos; at = end + 1) {
    const std::string line = text.substr(at, end - at);
    if (line.find(needle) != std::string::npos) found.push_back(line);
  }
  return found;
}
bool has_line(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

TEST(Metrics, ARecordIsCountedEverywhereItBelongs) {
  Metrics metrics(2);
  DecisionRecord record = sample_record();
  metrics.shard(0).record(record);
  metrics.shard(1).record(record);
  record.status = 429;
  record.verdict = Verdict::deny;
  record.layers[3].verdict = Verdict::deny;
  record.layers[3].reason = "rate.exceeded";
  metrics.shard(1).record(record);
  record.status = 0;
  metrics.shard(0).record(record);
  const std::string text = metrics.render(MetricsFormat::text);
  for (const char* line : {
           R"(gatehouse_requests_total{listener="public",route="orders-read",status_class="2xx",verdict="pass"} 2)",
           R"(gatehouse_requests_total{listener="public",route="orders-read",status_class="4xx",verdict="deny"} 1)",
           R"(gatehouse_requests_total{listener="public",route="orders-read",status_class="none",verdict="deny"} 1)",
           R"(gatehouse_request_duration_seconds_bucket{route="orders-read",le="0.005"} 4)",
           R"(gatehouse_request_duration_seconds_bucket{route="orders-read",le="1.0"} 4)",
           R"(gatehouse_request_duration_seconds_bucket{route="orders-read",le="+Inf"} 4)",
           R"(gatehouse_request_duration_seconds_sum{route="orders-read"} 0.011)",
           R"(gatehouse_request_duration_seconds_count{route="orders-read"} 4)",
           R"(gatehouse_own_duration_seconds_bucket{le="5e-05"} 0)",
           R"(gatehouse_own_duration_seconds_bucket{le="7.5e-05"} 4)",
           R"(gatehouse_layer_decisions_total{layer="rate",verdict="pass",mode="enforce",reason=""} 2)",
           R"(gatehouse_layer_decisions_total{layer="rate",verdict="deny",mode="enforce",reason="rate.exceeded"} 2)",
           R"(gatehouse_layer_seconds_total{layer="rate"} 5.44e-07)",
           R"(gatehouse_received_bytes_total{listener="public"} 1648)",
           R"(gatehouse_sent_bytes_total{listener="public"} 7332)",
       }) {
    EXPECT_TRUE(has_line(text, line)) << line << "\nis not in\n" << text;
  }
}

TEST(Metrics, RefusedMessagesAreCountedByReason) {
  Metrics metrics(1);
  DecisionRecord record;
  record.listener = "public";
  record.status = 400;
  record.add({Layer::http, Verdict::deny, Mode::enforce, 0, "http.te_and_cl", {}});
  metrics.shard(0).record(record);
  DecisionRecord unrouted;
  unrouted.add({Layer::http, Verdict::deny, Mode::enforce, 0, "route.not_found", {}});
  metrics.shard(0).record(unrouted);
  const std::string text = metrics.render(MetricsFormat::text);
  EXPECT_TRUE(has_line(text, R"(gatehouse_http_refused_total{listener="public",reason="http.te_and_cl"} 1)"));
  EXPECT_EQ(lines_with(text, "gatehouse_http_refused_total{").size(), 1u);
}

TEST(Metrics, HistogramBounds) {
  Metrics metrics(1);
  ShardMetrics& shard = metrics.shard(0);
  const SeriesId id = shard.id(Metric::upstream_duration, {"orders"});
  for (Duration d : {Duration(0), Duration(5ms), Duration(5ms) + 1ns, Duration(10s), Duration(11s), Duration(-1s)}) {
    shard.observe(Metric::upstream_duration, id, d);
  }
  const std::string text = metrics.render(MetricsFormat::text);
  EXPECT_TRUE(has_line(text, R"(gatehouse_upstream_duration_seconds_bucket{service="orders",le="0.005"} 3)")) << text;
  EXPECT_TRUE(has_line(text, R"(gatehouse_upstream_duration_seconds_bucket{service="orders",le="0.01"} 4)"));
  EXPECT_TRUE(has_line(text, R"(gatehouse_upstream_duration_seconds_bucket{service="orders",le="10.0"} 5)"));
  EXPECT_TRUE(has_line(text, R"(gatehouse_upstream_duration_seconds_bucket{service="orders",le="+Inf"} 6)"));
  EXPECT_EQ(lines_with(text, "upstream_duration_seconds_bucket").size(), kBuckets + 1);
}

TEST(Metrics, SeriesAreBounded) {
  Metrics metrics(1);
  ShardMetrics& shard = metrics.shard(0);
  for (int i = 0; i < 3000; ++i) shard.count(Metric::waf_rule_hits, {std::to_string(i)});
  for (int i = 0; i < 3000; ++i) shard.count(Metric::waf_rule_hits, {std::to_string(i)});
  const std::string text = metrics.render(MetricsFormat::text);
  EXPECT_EQ(lines_with(text, "gatehouse_waf_rule_hits_total{").size(), 1001u);
  EXPECT_TRUE(has_line(text, R"(gatehouse_waf_rule_hits_total{rule="other"} 4000)"));
  EXPECT_TRUE(has_line(text, R"(gatehouse_waf_rule_hits_total{rule="999"} 2)"));
  EXPECT_EQ(lines_with(text, "gatehouse_metric_series_folded_total{metric=\"gatehouse_waf_rule_hits_total\"}").size(),
            1u);
}

TEST(Metrics, ManyRoutesFoldAndNothingIsLost) {
  Metrics metrics(1);
  DecisionRecord record = sample_record();
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 10000; ++i) {
      const std::string route = "route-" + std::to_string(i);
      record.route = route;
      metrics.shard(0).record(record);
    }
  }
  std::uint64_t requests = 0;
  const auto lines = lines_with(metrics.render(MetricsFormat::text), "gatehouse_requests_total{");
  for (const std::string& line : lines) requests += std::stoull(line.substr(line.rfind(' ')));
  EXPECT_EQ(requests, 20000u);
  EXPECT_EQ(lines.size(), 8001u);
}

TEST(Metrics, ARouteNamedOther) {
  for (const bool first : {true, false}) {
    Metrics metrics(1);
    ShardMetrics& shard = metrics.shard(0);
    if (first) shard.count(Metric::waf_rule_hits, {"other"});
    for (int i = 0; i < 1001; ++i) shard.count(Metric::waf_rule_hits, {std::to_string(i)});
    if (!first) shard.count(Metric::waf_rule_hits, {"other"});
    EXPECT_EQ(lines_with(metrics.render(MetricsFormat::text), "rule=\"other\"").size(), 1u);
  }
}

TEST(Metrics, LabelValuesAreEscaped) {
  Metrics metrics(1);
  metrics.shard(0).count(Metric::waf_rule_hits, {"a\"b\\c\nd"});
  EXPECT_TRUE(has_line(metrics.render(MetricsFormat::text), R"(gatehouse_waf_rule_hits_total{rule="a\"b\\c\nd"} 1)"));
}

TEST(Metrics, LabelsThatJoinToTheSameTextDiffer) {
  Metrics metrics(1);
  ShardMetrics& shard = metrics.shard(0);
  EXPECT_NE(shard.id(Metric::key_refreshes, {"ab", "c"}), shard.id(Metric::key_refreshes, {"a", "bc"}));
  EXPECT_EQ(shard.id(Metric::key_refreshes, {"ab", "c"}), metrics.series(Metric::key_refreshes, {"ab", "c"}));
}

TEST(Metrics, GaugesAndCollectors) {
  Metrics metrics(2);
  metrics.shard(0).count(Metric::connections, {"public", "active"}, 5);
  metrics.shard(1).count(Metric::connections, {"public", "active"}, 3);
  metrics.shard(0).count(Metric::connections, {"public", "active"}, -2);
  metrics.set(metrics.series(Metric::config_generation, {}), 7);
  metrics.add_collector([](MetricSamples& samples) {
    samples.add(Metric::endpoint_healthy, {"orders", "http://127.0.0.1:9001"}, 1);
    samples.add(Metric::endpoint_healthy, {"orders", "http://127.0.0.1:9002"}, 0);
  });
  add_process_collector(metrics, "1.2.3");
  const std::string text = metrics.render(MetricsFormat::text);
  EXPECT_TRUE(has_line(text, R"(gatehouse_connections{listener="public",state="active"} 6)"));
  EXPECT_TRUE(has_line(text, "gatehouse_config_generation 7"));
  EXPECT_TRUE(has_line(text, R"(gatehouse_endpoint_healthy{service="orders",endpoint="http://127.0.0.1:9002"} 0)"));
  EXPECT_TRUE(has_line(text, R"(gatehouse_build_info{version="1.2.3"} 1)"));
  for (const char* name : {"process_cpu_seconds_total ", "process_resident_memory_bytes ", "process_open_fds ",
                           "process_start_time_seconds ", "process_threads "}) {
    const auto found = lines_with(text, name);
    EXPECT_EQ(found.size(), 3u) << name << "HELP, TYPE and one sample";
  }
}

TEST(Metrics, OpenMetrics) {
  Metrics metrics(1);
  metrics.shard(0).record(sample_record());
  const std::string text = metrics.render(MetricsFormat::open_metrics);
  EXPECT_TRUE(has_line(text, "# TYPE gatehouse_requests counter"));
  EXPECT_EQ(lines_with(text, "gatehouse_requests_total{").size(), 1u);
  EXPECT_TRUE(text.ends_with("\n# EOF\n"));
  EXPECT_EQ(metrics_format_of("application/openmetrics-text;version=1.0.0,text/plain;q=0.5"),
            MetricsFormat::open_metrics);
  EXPECT_EQ(metrics_format_of("*/*"), MetricsFormat::text);
  EXPECT_EQ(metrics_format_of(""), MetricsFormat::text);
}

// The second opinion, where it is installed.
TEST(Metrics, PromtoolIsContent) {
  if (std::system("promtool --version >/dev/null 2>&1") != 0) GTEST_SKIP() << "no promtool";
  Metrics metrics(2);
  metrics.shard(0).record(sample_record());
  add_process_collector(metrics, "1.2.3");
  // Every metric once, so that every name and help text is looked at.
  for (const MetricInfo& info : kMetrics) {
    if (info.name.starts_with("process_") || info.id == Metric::build_info) continue;
    switch (info.label_count()) {
      case 0: metrics.series(info.id, {}); break;
      case 1: metrics.series(info.id, {"a"}); break;
      case 2: metrics.series(info.id, {"a", "b"}); break;
      case 4: metrics.series(info.id, {"a", "b", "c", "d"}); break;
      default: FAIL();
    }
  }
  std::string complaints;
  char name[] = "/tmp/gatehouse-metrics-XXXXXX";
  const int fd = mkstemp(name);
  const std::string text = metrics.render(MetricsFormat::text);
  ASSERT_EQ(write(fd, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  close(fd);
  FILE* tool = popen(("promtool check metrics < " + std::string(name) + " 2>&1").c_str(), "r");
  ASSERT_NE(tool, nullptr);
  char buffer[1024];
  while (std::fgets(buffer, sizeof buffer, tool) != nullptr) complaints += buffer;
  EXPECT_EQ(WEXITSTATUS(pclose(tool)), 0);
  EXPECT_EQ(complaints, "");
  unlink(name);
}

TEST(Metrics, ScrapesWhileShardsCount) {
  Metrics metrics(2);
  std::atomic<bool> done{false};
  std::vector<std::thread> shards;
  for (std::size_t i = 0; i < 2; ++i) {
    shards.emplace_back([&, i] {
      DecisionRecord record = sample_record();
      for (int n = 0; n < 5000; ++n) {
        const std::string route = "route-" + std::to_string(n % 50);
        record.route = route;
        metrics.shard(i).record(record);
      }
    });
  }
  std::thread scraper([&] {
    while (!done.load()) EXPECT_FALSE(metrics.render(MetricsFormat::text).starts_with(" "));
  });
  for (auto& shard : shards) shard.join();
  done.store(true);
  scraper.join();
  std::uint64_t requests = 0;
  for (const std::string& line : lines_with(metrics.render(MetricsFormat::text), "gatehouse_requests_total{")) {
    requests += std::stoull(line.substr(line.rfind(' ')));
  }
  EXPECT_EQ(requests, 10000u);
}

}  // namespace
}  // namespace gatehouse::telemetry
