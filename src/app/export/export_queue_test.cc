#include "app/export/export_queue.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "app/export/export_sender.h"

namespace gatehouse::app {
namespace {

using Steady = std::chrono::steady_clock;

class ExportQueueTest : public testing::Test {
 protected:
  ExportQueueTest() { folder_ = ::mkdtemp(folder_.data()); }
  ~ExportQueueTest() override { std::filesystem::remove_all(folder_); }

  static ExportBatch batch(std::uint32_t number, std::size_t bytes = 100) {
    return {ExportSignal::records, number, std::string(bytes, static_cast<char>('a' + number % 26))};
  }
  static std::vector<std::uint32_t> drain(ExportQueue& queue) {
    std::vector<std::uint32_t> counts;
    while (const ExportBatch* one = queue.front(Steady::now())) {
      EXPECT_EQ(one->body, batch(one->count, one->body.size()).body);
      counts.push_back(one->count);
      queue.pop();
    }
    return counts;
  }
  std::size_t files() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder_), {}));
  }

  std::string folder_ = "/tmp/gatehouse-export-XXXXXX";
};

TEST_F(ExportQueueTest, OrderThroughMemoryAndFiles) {
  ExportQueue queue(folder_, 1 << 30);
  std::vector<std::uint32_t> wanted;
  for (std::uint32_t i = 1; i <= 40; ++i) {
    ASSERT_TRUE(queue.push(batch(i, 1 << 20)));
    wanted.push_back(i);
  }
  EXPECT_EQ(files(), 32u) << "eight fit into memory";
  EXPECT_EQ(queue.waiting_bytes(), 40u << 20);
  EXPECT_EQ(drain(queue), wanted);
  EXPECT_EQ(files(), 0u);
  EXPECT_EQ(queue.waiting_bytes(), 0u);
}

TEST_F(ExportQueueTest, Bounds) {
  ExportQueue in_memory({}, 1 << 30);
  int taken = 0;
  while (in_memory.push(batch(1, 1 << 20))) ASSERT_LT(++taken, 100);
  EXPECT_EQ(taken, 8) << "without a folder there are no files";
  ExportQueue queue(folder_, 2 << 20);
  taken = 0;
  while (queue.push(batch(1, 1 << 20))) ASSERT_LT(++taken, 100);
  EXPECT_EQ(taken, 10);
}

TEST_F(ExportQueueTest, WhatIsPutAwayDoesNotReplaceTheFileThatIsBeingSent) {
  {
    ExportQueue queue(folder_, 1 << 30);
    ASSERT_TRUE(queue.push(batch(1)));
    EXPECT_EQ(queue.put_away(), 0u);
  }
  {
    ExportQueue queue(folder_, 1 << 30);
    ASSERT_NE(queue.front(Steady::now()), nullptr) << "of the file; from now on memory is filled first";
    for (std::uint32_t i = 2; i <= 13; ++i) ASSERT_TRUE(queue.push(batch(i, 1 << 20)));
    EXPECT_EQ(queue.put_away(), 0u);
  }
  ExportQueue queue(folder_, 1 << 30);
  EXPECT_EQ(drain(queue), (std::vector<std::uint32_t>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13}));
}

TEST_F(ExportQueueTest, ARestartLosesNothingAndKeepsTheOrder) {
  std::vector<std::uint32_t> wanted;
  {
    ExportQueue queue(folder_, 1 << 30);
    for (std::uint32_t i = 1; i <= 12; ++i) {
      ASSERT_TRUE(queue.push(batch(i, 1 << 20)));
      wanted.push_back(i);
    }
    ASSERT_NE(queue.front(Steady::now()), nullptr);  // it is on its way
    EXPECT_EQ(queue.put_away(), 0u);
  }
  ExportQueue again(folder_, 1 << 30);
  EXPECT_EQ(drain(again), wanted);
}

TEST_F(ExportQueueTest, WhatDoesNotFitIsCounted) {
  ExportQueue queue(folder_, 300);
  for (std::uint32_t i = 1; i <= 4; ++i) ASSERT_TRUE(queue.push(batch(10 * i)));
  EXPECT_EQ(queue.put_away(), 40u);
}

TEST_F(ExportQueueTest, FilesThatAreBroken) {
  {
    ExportQueue queue(folder_, 1 << 30);
    for (std::uint32_t i = 1; i <= 5; ++i) ASSERT_TRUE(queue.push(batch(i)));
    queue.put_away();
  }
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  std::filesystem::resize_file(paths[0], 50);            // cut
  std::ofstream(paths[1]) << "7 1 3\nabc";               // no such signal
  std::ofstream(paths[2]) << "0 1 99999999999999\nabc";  // too long
  std::ofstream(paths[3], std::ios::app) << "more";      // too much
  std::ofstream(folder_ + "/notes.txt") << "somebody else's";
  ExportQueue queue(folder_, 1 << 30);
  EXPECT_EQ(drain(queue), std::vector<std::uint32_t>{5});
  EXPECT_EQ(queue.spool_failures(), 4u);
  EXPECT_EQ(files(), 1u) << "what is not ours stays";
}

TEST_F(ExportQueueTest, AFolderThatIsGone) {
  ExportQueue queue(folder_ + "/none", 1 << 30);
  for (int i = 0; i < 8; ++i) ASSERT_TRUE(queue.push(batch(1, 1 << 20)));
  EXPECT_FALSE(queue.push(batch(1, 1 << 20)));
  EXPECT_EQ(queue.spool_failures(), 1u);
}

TEST(ExportTarget, Cases) {
  const struct {
    const char *text, *url, *host;
    int port;
    const char* name;
  } good[] = {
      {"otlp+http://Collector", "http://Collector:4318", "Collector", 4318, "otlp-collector-4318"},
      {"elastic+https://e.example:9243/es/", "https://e.example:9243/es", "e.example", 9243, "elastic-e.example-9243"},
      {"influx+http://[::1]:8086", "http://[::1]:8086", "::1", 8086, "influx---1-8086"},
      {"statsd://127.0.0.1", "", "127.0.0.1", 8125, "statsd-127.0.0.1-8125"},
      {"syslog+tls://log.example", "", "log.example", 6514, "syslog-log.example-6514"},
  };
  for (const auto& c : good) {
    const auto target = parse_export_target(c.text);
    ASSERT_TRUE(target) << c.text << ": " << target.error().message;
    EXPECT_EQ(target->url, c.url);
    EXPECT_EQ(target->host, c.host);
    EXPECT_EQ(target->port, c.port);
    EXPECT_EQ(target->name(), c.name);
  }
  for (const char* bad :
       {"", "http://x", "otlp://x", "otlp+http://", "otlp+http://u:p@x", "otlp+http://x?a", "statsd://x/y", "tcp://x:0",
        "tcp://x:70000", "tcp://[::1", "tls://a b", "otlp+http://x/../\"y"}) {
    EXPECT_FALSE(parse_export_target(bad)) << bad;
  }
}

TEST(Answers, Bulk) {
  const struct {
    const char* body;
    int refused;  // -1: again
  } cases[] = {
      {R"({"errors":false,"items":[]})", 0},
      {R"({"errors":true,"items":[{"create":{"status":201}},{"create":{"status":409}},{"create":{"status":400}}]})", 1},
      {R"({"errors":true,"items":[{"create":{"status":429}}]})", -1},
      {R"({"errors":true,"items":[{"create":{"status":503}},{"create":{"status":400}}]})", -1},
      {R"({"errors":true,"items":[1,null,{"create":[]},{"create":{"status":"x"}}]})", 1},
      {R"({"errors":"yes"})", 0},
      {"[]", -1},
      {"", -1},
      {"\xff\xfe", -1},
      {R"({"errors":true})", -1},
  };
  for (const auto& c : cases) {
    const auto read = read_bulk_answer(c.body);
    EXPECT_EQ(read ? static_cast<int>(*read) : -1, c.refused) << c.body;
    if (!read) {
      EXPECT_EQ(read.error().retry, Retry::safe);
    }
  }
}

TEST(Answers, Otlp) {
  EXPECT_EQ(read_otlp_answer(R"({"partialSuccess":{"rejectedSpans":"5","errorMessage":"x"}})"), 5u);
  EXPECT_EQ(read_otlp_answer(R"({"partialSuccess":{"rejectedLogRecords":7}})"), 7u);
  for (const char* none :
       {"{}", "", "[]", "nonsense", R"({"partialSuccess":null})", R"({"partialSuccess":{"rejectedSpans":-1}})"}) {
    EXPECT_EQ(read_otlp_answer(none), 0u) << none;
  }
}

}  // namespace
}  // namespace gatehouse::app
