#include "app/commands/check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/temp_dir.h"

namespace gatehouse::app {
namespace {

using testing::HasSubstr;

class Check : public testing::Test {
 protected:
  Check() {
    std::filesystem::permissions(folder_.path(), std::filesystem::perms(0755));  // root's tests become somebody else
  }

  CheckReport check_text(std::string_view text, Severity fail_on, const std::string& format = "text") {
    CheckOptions options;
    options.config_path = folder_ / "gatehouse.yaml";
    options.format = format;
    options.fail_on = fail_on;
    std::ofstream(options.config_path) << text;
    return check(options, clock_, false);
  }
  FakeClock clock_;
  const TempDir folder_;
};

constexpr std::string_view kGood =
    "version: 1\nlisteners: [{ name: l, address: 127.0.0.1:1 }]\nservices: { a: { endpoints: http://127.0.0.1:2, "
    "health: /h } }\n"
    "routes: [{ name: r, service: a, access: { roles: [x] } }]\nauthentication: { client_certificates: {} }\n";
constexpr std::string_view kNote =  // a service that no route leads to
    "version: 1\nlisteners: [{ name: l, address: 127.0.0.1:1 }]\nservices: { a: { endpoints: http://127.0.0.1:2, "
    "health: /h }, b: { endpoints: http://127.0.0.1:3, health: /h } }\n"
    "routes: [{ name: r, service: a, access: { roles: [x] } }]\nauthentication: { client_certificates: {} }\n";
constexpr std::string_view kWarning = "version: 1\nlisteners: [{ name: l, address: 0.0.0.0:1 }]\n";
constexpr std::string_view kError =
    "version: 1\nlisteners: [{ name: l, address: 127.0.0.1:1, trusted_proxies: [0.0.0.0/0] }]\nroutes: []\n";
constexpr std::string_view kInvalid =
    "version: 1\nlisteners: [{ name: l, adress: 127.0.0.1:1 }]\nroutes: [{ name: r, sevice: app }]\n";

TEST_F(Check, ExitCodes) {
  struct Case {
    const char* name;
    std::string_view text;
    int on_error, on_warning, on_info;
  };
  for (const Case& c : {Case{"good", kGood, 0, 0, 0}, Case{"good, with a note", kNote, 0, 0, 1},
                        Case{"a warning", kWarning, 0, 1, 1}, Case{"an error of posture", kError, 1, 1, 1},
                        Case{"not valid", kInvalid, 2, 2, 2}, Case{"not YAML", "a: [", 2, 2, 2}}) {
    for (const std::string format : {"text", "json", "sarif"}) {
      EXPECT_EQ(check_text(c.text, Severity::error, format).exit_code, c.on_error) << c.name;
      EXPECT_EQ(check_text(c.text, Severity::warning, format).exit_code, c.on_warning) << c.name;
      EXPECT_EQ(check_text(c.text, Severity::info, format).exit_code, c.on_info) << c.name;
    }
  }
  CheckOptions missing;
  missing.config_path = folder_ / "none.yaml";
  EXPECT_EQ(check(missing, clock_, false).exit_code, 2);
}

TEST_F(Check, Formats) {
  EXPECT_THAT(check_text(kInvalid, Severity::error).text,
              HasSubstr("gatehouse.yaml:2:24: error: unknown key \"adress\""));
  EXPECT_THAT(check_text(kInvalid, Severity::error).text, HasSubstr("not valid; 2 errors, 0 warnings, 0 notes"));
  const auto json = nlohmann::json::parse(check_text(kInvalid, Severity::error, "json").text);
  EXPECT_EQ(json["valid"], false);
  EXPECT_EQ(json["diagnostics"].size(), 2u);
  const auto sarif = nlohmann::json::parse(check_text(kWarning, Severity::error, "sarif").text);
  EXPECT_EQ(sarif["runs"][0]["results"][0]["level"], "warning");
}

}  // namespace
}  // namespace gatehouse::app
