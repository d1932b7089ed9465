#include "telemetry/recorder.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/temp_dir.h"
#include "telemetry/record_sample.h"
#include "telemetry/render.h"

namespace gatehouse::telemetry {
namespace {

TEST(Recorder, CountsKeepsAndLogs) {
  const TempDir folder;
  const DecisionRecord record = sample_record();
  std::string json, common;
  append_json(record, json);
  append_common(record, common);
  for (const auto format : {AccessLogFormat::json, AccessLogFormat::common}) {
    const std::string path = folder / (format == AccessLogFormat::json ? "json" : "common");
    auto log = AccessLog::open({.to = path, .format = format});
    ASSERT_TRUE(log);
    Metrics metrics(1);
    RecordStore records(1, 128 * 1024);
    Recorder recorder(0, metrics, records, **log);
    recorder.record(record);
    recorder.record(record);
    (*log)->flush();
    EXPECT_EQ(records.find(record.request_id), json) << "JSON, whatever the log's format";
    EXPECT_EQ(metrics.value(metrics.series(Metric::requests, {"public", "orders-read", "2xx", "pass"})), 2);
    std::ifstream in(path);
    std::string line;
    ASSERT_TRUE(std::getline(in, line));
    EXPECT_EQ(line, format == AccessLogFormat::json ? json : common);
    EXPECT_EQ((*log)->counters().bytes_written, 2 * line.size() + 2);
  }
}

}  // namespace
}  // namespace gatehouse::telemetry
