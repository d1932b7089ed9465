#include "telemetry/trace.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace gatehouse::telemetry {
namespace {

constexpr std::string_view kParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

template <std::size_t N>
std::string text(const std::array<char, N>& chars) {
  return {chars.data(), N};
}

TEST(TraceParent, AcceptedAndRefused) {
  const struct {
    const char* name;
    std::string value;
    bool valid;
  } cases[] = {
      {"the specification's example", std::string(kParent), true},
      {"not sampled", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00", true},
      {"later version", "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", true},
      {"later version, more fields", "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what", true},
      {"later version, junk", "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.what", false},
      {"version 00 with more", std::string(kParent) + "-x", false},
      {"version ff", "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", false},
      {"upper case", "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", false},
      {"zero trace", "00-00000000000000000000000000000000-00f067aa0ba902b7-01", false},
      {"zero span", "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", false},
      {"no hexadecimal", "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01", false},
      {"wrong separator", "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", false},
      {"short", std::string(kParent.substr(0, 54)), false},
      {"empty", "", false},
  };
  for (const auto& c : cases) EXPECT_EQ(parse_traceparent(c.value).has_value(), c.valid) << c.name;
}

TEST(TraceState, AcceptedAndRefused) {
  std::string many = "a0=1";
  for (int i = 1; i < 32; ++i) many += ",a" + std::to_string(i) + "=1";
  const struct {
    const char* name;
    std::string value;
    bool valid;
  } cases[] = {
      {"one", "rojo=00f067aa0ba902b7", true},
      {"two with space", "rojo=1 , congo=t61rcWkgMzE", true},
      {"tenant", "fw529a3039@dt=FfffffCC", true},
      {"empty members", "a=1,,b=2,", true},
      {"32 members", many, true},
      {"33 members", many + ",b=1", false},
      {"twice the same key", "a=1,a=2", false},
      {"empty", "", false},
      {"only commas", ",,", false},
      {"no value", "a=", false},
      {"no equals", "a", false},
      {"upper-case key", "A=1", false},
      {"equals in value", "a=1=2", false},
      {"control byte", "a=\x01", false},
      {"not ASCII", "a=\xc3\xa9", false},
      {"too long", "a=" + std::string(255, 'x') + ",b=" + std::string(254, 'x'), false},
  };
  for (const auto& c : cases) EXPECT_EQ(is_tracestate(c.value), c.valid) << c.name;
}

TEST(TraceContext, FromOutsideALinkFromPeersAParent) {
  IdGenerator ids({1, 2, 3, 4});
  const TraceContext outside = ids.begin(kParent, "rojo=1", false);
  EXPECT_FALSE(outside.parent);
  ASSERT_TRUE(outside.link);
  EXPECT_NE(outside.trace_id, outside.link->trace_id);
  EXPECT_EQ(outside.tracestate, "");
  EXPECT_TRUE(parse_traceparent(text(outside.traceparent())));

  const TraceContext trusted = ids.begin(kParent, "rojo=1", true);
  ASSERT_TRUE(trusted.parent);
  EXPECT_FALSE(trusted.link);
  EXPECT_EQ(text(trusted.trace_id), "4bf92f3577b34da6a3ce929d0e0e4736");
  EXPECT_NE(text(trusted.span_id), "00f067aa0ba902b7") << "our own span";
  EXPECT_EQ(trusted.tracestate, "rojo=1");
  EXPECT_EQ(text(trusted.traceparent()).substr(0, 36), kParent.substr(0, 36));

  EXPECT_EQ(ids.begin(kParent, "no state", true).tracestate, "");
  const TraceContext fresh = ids.begin("", "", true);
  EXPECT_FALSE(fresh.parent || fresh.link);
  EXPECT_TRUE(parse_traceparent(text(fresh.traceparent())));
}

TEST(RequestIds, SortByTimeAndDiffer) {
  IdGenerator ids({1, 2, 3, 4});
  const WallTime at{std::chrono::milliseconds(1'750'000'000'000)};
  std::set<std::string> seen;
  std::string last;
  for (int ms = 0; ms < 1000; ++ms) {
    const std::string id = text(ids.request_id(at + std::chrono::milliseconds(ms)));
    EXPECT_TRUE(is_request_id(id)) << id;
    EXPECT_GT(id, last);
    last = id;
    for (int i = 0; i < 10; ++i) EXPECT_TRUE(seen.insert(text(ids.request_id(at))).second);
  }
  // The time part is that of the ULID specification: 01ARYZ6S41 is 1469918176385.
  EXPECT_EQ(text(ids.request_id(WallTime{std::chrono::milliseconds(1'469'918'176'385)})).substr(0, 10), "01aryz6s41");
}

TEST(RequestIds, SeededFromTheKernel) {
  auto a = IdGenerator::create(), b = IdGenerator::create();
  ASSERT_TRUE(a && b);
  EXPECT_NE(a->request_id({}), b->request_id({}));
  IdGenerator zero({0, 0, 0, 0});
  EXPECT_NE(zero.request_id({}), zero.request_id({})) << "an all-zero state would never move";
}

TEST(RequestIds, WhatIsNone) {
  for (const char* bad : {"", "01jxt1rqwvh7r3k9w2m4d8c6f", "01jxt1rqwvh7r3k9w2m4d8c6f55", "01JXT1RQWVH7R3K9W2M4D8C6F5",
                          "01jxt1rqwvh7r3k9w2m4d8c6fu", "../../../../../etc/passwd."}) {
    EXPECT_FALSE(is_request_id(bad)) << bad;
  }
}

}  // namespace
}  // namespace gatehouse::telemetry
