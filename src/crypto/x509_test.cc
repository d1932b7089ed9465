#include "crypto/x509.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>

#include "base/file.h"

namespace gatehouse::crypto {
namespace {

using namespace std::chrono_literals;

class LocalAuthorityTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "x509_test_XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    clock_.set_wall(std::chrono::system_clock::now());
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  LocalAuthority open() {
    auto authority = LocalAuthority::open(folder_, "shop.example", clock_);
    EXPECT_TRUE(authority) << authority.error().message;
    return std::move(*authority);
  }
  int openssl(const std::string& arguments) {
    return std::system(("openssl " + arguments + " >" + folder_ + "/out 2>&1").c_str());
  }
  std::string folder_;
  FakeClock clock_;
};

// The second opinion: OpenSSL's own verifier, with the strict reading of RFC 5280.
TEST_F(LocalAuthorityTest, OpensslAcceptsWhatItIssues) {
  LocalAuthority authority = open();
  const auto server = authority.issue_server({"shop.example", "*.shop.example", "127.0.0.1", "::1"});
  ASSERT_TRUE(server) << server.error().message;
  const auto client = authority.issue_client("billing", "spiffe://shop.example/billing");
  ASSERT_TRUE(client) << client.error().message;
  const std::string ca = " -x509_strict -CAfile " + authority.certificate_file() + " ";
  struct Case {
    const char* name;
    std::string arguments;
    bool accepted;
  };
  const Case cases[] = {
      {"its name", "verify -purpose sslserver -verify_hostname shop.example" + ca + server->certificate_file, true},
      {"by wildcard", "verify -purpose sslserver -verify_hostname a.shop.example" + ca + server->certificate_file,
       true},
      {"by address", "verify -purpose sslserver -verify_ip ::1" + ca + server->certificate_file, true},
      {"another name", "verify -purpose sslserver -verify_hostname bank.example" + ca + server->certificate_file,
       false},
      {"a server's is no client's", "verify -purpose sslclient" + ca + server->certificate_file, false},
      {"client", "verify -purpose sslclient" + ca + client->certificate_file, true},
  };
  for (const Case& c : cases)
    EXPECT_EQ(openssl(c.arguments) == 0, c.accepted) << c.name << read_file(folder_ + "/out").value();
}

TEST_F(LocalAuthorityTest, KeysAreForTheOwnerOnly) {
  LocalAuthority authority = open();
  const auto issued = authority.issue_server({"shop.example"});
  for (const std::string& file : {issued->key_file, folder_ + "/ca.key"}) {
    struct stat info;
    ASSERT_EQ(::stat(file.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600U) << file;
  }
}

TEST_F(LocalAuthorityTest, ReusesUntilItMustNot) {
  const std::vector<std::string> names{"shop.example", "10.0.0.1"};
  EXPECT_TRUE(open().issue_server(names)->reissued);
  EXPECT_FALSE(open().issue_server(names)->reissued) << "reused by the next start";
  EXPECT_TRUE(open().issue_server({"shop.example"})->reissued) << "other names";
  EXPECT_FALSE(open().issue_server({"shop.example"})->reissued);
  clock_.advance(24h * 59);
  EXPECT_FALSE(open().issue_server({"shop.example"})->reissued);
  clock_.advance(24h * 2);
  const auto renewed = open().issue_server({"shop.example"});
  EXPECT_TRUE(renewed->reissued) << "within 30 days of its end";
  EXPECT_GT(renewed->not_after - clock_.wall(), 24h * 89);
  clock_.advance(24h * 3650);
  LocalAuthority next = open();  // the authority itself is renewed, and with it what it had issued
  EXPECT_TRUE(next.issue_server({"shop.example"})->reissued);
}

TEST_F(LocalAuthorityTest, RefusesWhatIsNoName) {
  LocalAuthority authority = open();
  for (const char* name : {"", "a b", "a/../b", "x,DNS:evil.example", "*", "a\nb"}) {
    EXPECT_FALSE(authority.issue_server({name})) << name;
  }
  EXPECT_FALSE(authority.issue_server({}));
  EXPECT_FALSE(authority.issue_client("x", "spiffe://a,DNS:evil.example"));
  EXPECT_FALSE(authority.issue_client("../x", "spiffe://a"));
}

}  // namespace
}  // namespace gatehouse::crypto
