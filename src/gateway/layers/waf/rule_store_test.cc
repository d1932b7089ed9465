#include "gateway/layers/waf/rule_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/temp_dir.h"
#include "gateway/layers/sample_request.h"

namespace gatehouse::gateway {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

class Rules : public testing::Test {
 protected:
  Rules() {
    config_ = sample_config();
    config_.data_dir = folder_ / "data";
    std::filesystem::create_directory(config_.data_dir);
    config_.waf.rules = {folder_ / "*.conf"};
  }
  void write(const std::string& name, const std::string& text) { std::ofstream(folder_ / name) << text; }
  std::size_t caches() const {
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator(config_.data_dir), std::filesystem::directory_iterator()));
  }

  const TempDir folder_;
  Config config_;
  std::size_t compiled_ = 0;  // times that compiling was told of
  RuleStore store_{[this](std::size_t done, std::size_t total) { compiled_ += done == total ? 1 : 0; }};
};

TEST_F(Rules, NobodyWantsThem) {
  config_.waf.mode = Mode::off;
  EXPECT_FALSE(wants_rules(config_));
  const auto none = store_.load(config_);
  ASSERT_TRUE(none);
  EXPECT_EQ(*none, nullptr);
  config_.routes[0].waf.mode = Mode::monitor;
  EXPECT_TRUE(wants_rules(config_));
  config_.routes[0].modes = {{telemetry::Layer::waf, Mode::off}};
  EXPECT_FALSE(wants_rules(config_));
}

TEST_F(Rules, TheSameBytesAreLoadedOnce) {
  write("a.conf", "SecRule ARGS \"@rx a+b\" \"id:1,phase:2,deny\"\n");
  auto first = store_.load(config_);
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_EQ(*store_.load(config_), *first);
  EXPECT_EQ(caches(), 1u);
  write("a.conf", "SecRule ARGS \"@rx a+c\" \"id:1,phase:2,deny\"\n");
  auto second = store_.load(config_);
  ASSERT_TRUE(second);
  EXPECT_NE(*second, *first);
  EXPECT_EQ(caches(), 2u);

  // A new process, or a rollback after the old ones are gone, finds the patterns compiled.
  first->reset(), second->reset();
  const std::size_t compiled = compiled_;
  ASSERT_TRUE(store_.load(config_));
  EXPECT_TRUE((*store_.load(config_))->plan->statistics().from_cache);
  EXPECT_EQ(compiled_, compiled);
}

TEST_F(Rules, AllErrorsAreListed) {
  write("a.conf", "SecRule ARGS \"@nonsense x\" \"id:1,phase:2,deny\"\n");
  write("b.conf", "SecAction \"id:2,phase:2,nonsense\"\n");
  const auto refused = store_.load(config_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::invalid);
  EXPECT_EQ(refused.error().source, ErrorSource::configuration);
  const auto errors = examine_rules(config_.waf).errors;
  EXPECT_THAT(errors, ElementsAre(StartsWith(folder_ / "a.conf:1:"), StartsWith(folder_ / "b.conf:1:")));
  EXPECT_EQ(refused.error().message, errors[0] + "\n" + errors[1]);

  write("a.conf", "SecRule ARGS \"@rx (\" \"id:1,phase:2,deny\"\n");
  std::filesystem::remove(folder_ / "b.conf");
  EXPECT_THAT(examine_rules(config_.waf).errors, ElementsAre(StartsWith(folder_ / "a.conf:1:")));
  EXPECT_FALSE(store_.load(config_));
  config_.waf.rules = {folder_ / "no-such-file"};
  EXPECT_EQ(examine_rules(config_.waf).errors.size(), 1u);
}

TEST_F(Rules, ThoseThatFindNothingAreNamed) {
  write("a.conf", "SecRule REMOTE_ADDR \"@rbl list.example\" \"id:1,phase:1,deny\"\n");
  const RuleFindings findings = examine_rules(config_.waf);
  EXPECT_THAT(findings.errors, ElementsAre());
  EXPECT_THAT(findings.blind, ElementsAre(StartsWith((folder_ / "a.conf:1:1: rule 1: @rbl finds nothing"))));
  EXPECT_TRUE(store_.load(config_));
}

TEST_F(Rules, AnotherGeoDatabaseMakesThemNew) {
  const std::string places = std::string(GATEHOUSE_SOURCE_DIR) + "/tests/data/geo/places.mmdb";
  write("a.conf", "SecGeoLookupDB geo.mmdb\nSecRule REMOTE_ADDR \"@geoLookup\" \"id:1,phase:1,deny\"\n");
  EXPECT_THAT(examine_rules(config_.waf).errors, ElementsAre(StartsWith(folder_ / "a.conf:1:16: ")));
  std::filesystem::copy_file(places, folder_ / "geo.mmdb");
  const auto first = store_.load(config_);
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_EQ(*store_.load(config_), *first);
  std::filesystem::copy_file(places, folder_ / "next.mmdb");
  std::filesystem::rename(folder_ / "next.mmdb", folder_ / "geo.mmdb");
  const auto second = store_.load(config_);
  ASSERT_TRUE(second);
  EXPECT_NE(*second, *first);
  write("geo.mmdb", "no database");
  const auto third = store_.load(config_);
  ASSERT_FALSE(third);
  EXPECT_THAT(third.error().message, StartsWith(folder_ / "a.conf:1:16: "));
}

}  // namespace
}  // namespace gatehouse::gateway
