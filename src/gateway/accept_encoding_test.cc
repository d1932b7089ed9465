#include "gateway/accept_encoding.h"

#include <gtest/gtest.h>

namespace gatehouse::gateway {
namespace {

TEST(AcceptEncoding, OnlyWhatIsReadIsAskedFor) {
  struct Case {
    std::string_view asked, kept;
  };
  for (const Case& c : {
           Case{"gzip, deflate, br, zstd", "gzip, deflate, br"},
           Case{"zstd", "identity"},
           Case{"zstd;q=1.0, gzip;q=0.5", "gzip;q=0.5"},
           Case{"*", "identity"},
           Case{"gzip;q=0, *", "gzip;q=0"},
           Case{"GZIP , x-gzip", "GZIP, x-gzip"},
           Case{"", "identity"},
           Case{",,", "identity"},
           Case{"identity;q=0, br", "identity;q=0, br"},
       }) {
    Arena arena;
    http::Fields fields;
    fields.add("accept-encoding", c.asked);
    keep_read_codings(arena, fields);
    EXPECT_EQ(fields.get("accept-encoding"), c.kept) << c.asked;
  }
  Arena arena;
  http::Fields fields;
  keep_read_codings(arena, fields);
  EXPECT_TRUE(fields.empty());
  fields.add("accept-encoding", "zstd");
  fields.add("accept", "*/*");
  fields.add("accept-encoding", "br");
  keep_read_codings(arena, fields);
  EXPECT_EQ(fields.count("accept-encoding"), 1u);
  EXPECT_EQ(fields.get("accept-encoding"), "br");
}

}  // namespace
}  // namespace gatehouse::gateway
