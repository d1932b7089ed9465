#include "app/control/certificate_watch.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/temp_dir.h"
#include "crypto/x509.h"

namespace gatehouse::app {
namespace {

using namespace std::chrono_literals;

class CertificateWatchTest : public testing::Test {
 protected:
  CertificateWatchTest() {
    for (const char* name : {"site.pem", "site.key", "site.ocsp"}) write(name, "first");
    gateway::ListenerConfig listener;
    listener.tls.emplace();
    listener.tls->certificates.push_back({folder_ / "site.pem", folder_ / "site.key", folder_ / "site.ocsp", false});
    config_.listeners.push_back(listener);
    served_.push_back({"public", folder_ / "site.pem", false});
    watch_.loaded(config_, served_, look());
  }
  void write(const std::string& name, std::string_view text) { std::ofstream(folder_ / name) << text; }
  CertificateWatch::Stamps look() { return CertificateWatch::look(config_, served_); }
  bool due_after(Duration time) { return clock_.advance(time), watch_.due(config_); }

  FakeClock clock_;
  const TempDir folder_;
  gateway::Config config_;
  std::vector<gateway::ServedCertificate> served_;
  CertificateWatch watch_{clock_};
};

TEST_F(CertificateWatchTest, AChangeCountsOnceItHasSettled) {
  EXPECT_FALSE(due_after(5s));
  write("site.key", "second, longer");
  EXPECT_FALSE(due_after(1s)) << "between two looks";
  EXPECT_FALSE(due_after(5s)) << "the certificate may follow";
  write("site.pem", "second, longer");
  EXPECT_FALSE(due_after(5s));
  EXPECT_TRUE(due_after(5s));
  watch_.loaded(config_, served_, look());
  EXPECT_FALSE(due_after(5s));
  EXPECT_FALSE(due_after(24h));
}

TEST_F(CertificateWatchTest, AnOcspResponseCounts) {
  write("site.ocsp", "renewed response");
  EXPECT_FALSE(due_after(5s));
  EXPECT_TRUE(due_after(5s));
}

TEST_F(CertificateWatchTest, AFailureIsTriedAgainLaterOrWhenItChanges) {
  write("site.pem", "broken");
  due_after(5s);
  ASSERT_TRUE(due_after(5s));
  watch_.failed(look());
  EXPECT_FALSE(due_after(5s));
  EXPECT_FALSE(due_after(5s));
  EXPECT_TRUE(due_after(60s)) << "what made it fail may have been elsewhere";
  watch_.failed(look());
  write("site.pem", "mended at last");
  EXPECT_FALSE(due_after(5s));
  EXPECT_TRUE(due_after(5s));
}

TEST_F(CertificateWatchTest, OwnCertificatesAreRenewedBeforeTheyEnd) {
  auto authority = crypto::LocalAuthority::open(folder_ / "ca", "shop.example", clock_);
  ASSERT_TRUE(authority);
  const auto issued = authority->issue_server({"localhost"});
  ASSERT_TRUE(issued);
  served_ = {{"public", issued->certificate_file, true}};
  watch_.loaded(config_, served_, look());
  EXPECT_EQ(watch_.certificates().at(0).expires, issued->not_after);
  EXPECT_FALSE(due_after(24h * 59));
  EXPECT_TRUE(watch_.ending().empty());
  EXPECT_TRUE(due_after(24h * 2)) << "30 days before its end";
  watch_.failed(look());
  EXPECT_FALSE(due_after(5s));
  EXPECT_TRUE(due_after(60s));
  clock_.advance(24h * 20);
  EXPECT_EQ(watch_.ending().size(), 1U);
  EXPECT_EQ(watch_.ending().size(), 0U) << "once a day";
  ASSERT_TRUE(authority->issue_server({"localhost"})->reissued);
  watch_.loaded(config_, served_, look());
  EXPECT_FALSE(due_after(24h));
  EXPECT_TRUE(watch_.ending().empty());
}

}  // namespace
}  // namespace gatehouse::app
