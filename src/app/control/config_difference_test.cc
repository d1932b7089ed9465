#include "app/control/config_difference.h"

#include <gtest/gtest.h>

#include "app/config/documents.h"
#include "app/config/load_testing.h"

namespace gatehouse::app {
namespace {

gateway::Config read(std::string_view rest) {
  LoadOutcome outcome = load(listener_with(rest));
  EXPECT_TRUE(outcome.ok()) << all(outcome);
  return outcome.ok() ? std::move(const_cast<gateway::Config&>(*outcome.config)) : gateway::Config{};
}

struct Case {
  const char *name, *before, *after;
  std::vector<std::string> lines, restart;
};

TEST(ConfigDifference, SaysWhatChangesAndWhatNeedsARestart) {
  const Case cases[] = {
      {"nothing", "trust_domain: a.example\n", "trust_domain: a.example\n", {}, {}},
      {"a value",
       "trust_domain: a.example\n",
       "trust_domain: b.example\n",
       {"trust_domain: a.example → b.example"},
       {}},
      {"a value that waits",
       "process: { shards: 2, drain_timeout: 1s }\n",
       "process: { shards: 4, drain_timeout: 2s }\n",
       {"process.drain_timeout: 1s → 2s", "process.shards: 2 → 4 (needs a restart)"},
       {"process.shards"}},
      {"a block that waits",
       "",
       "admin: { address: \"127.0.0.1:9900\", token: \"${env:TOKEN}\" }\n",
       {R"(+ admin: {"address":"127.0.0.1:9900","token":"********"} (needs a restart))"},
       {"admin.address"}},
      {"a secret",
       "admin: { address: \"127.0.0.1:9900\", token: \"${env:TOKEN}-1\" }\n",
       "admin: { address: \"127.0.0.1:9900\", token: \"${env:TOKEN}-2\" }\n",
       {"admin.token: changed (a secret)"},
       {}},
      {"the access log",
       "telemetry: { access_log: stdout }\n",
       "telemetry: { access_log: off, metrics: \"127.0.0.1:9464\" }\n",
       {"telemetry.access_log.to: stdout → off", R"(+ telemetry.metrics: {"address":"127.0.0.1:9464"})"},
       {}},
      {"the root key",
       "secrets: { passphrase: \"${env:TOKEN} of a long day\" }\n",
       "secrets: { root_key_file: /etc/gatehouse/root.key }\n",
       {R"(- secrets.passphrase: "********" (needs a restart))",
        R"(+ secrets.root_key_file: "/etc/gatehouse/root.key" (needs a restart))"},
       {"secrets.root_key_file", "secrets.passphrase"}},
      {"a secret that waits",
       "secrets: { passphrase: \"${env:TOKEN} of a long day\" }\n",
       "secrets: { passphrase: \"${env:TOKEN} of a short day\" }\n",
       {"secrets.passphrase: changed (a secret) (needs a restart)"},
       {"secrets.passphrase"}},
      {"the table of rates",
       "",
       "state: { rate_entries: 2048 }\n",
       {"state.rate_entries: 1048576 → 2048 (needs a restart)"},
       {"state.rate_entries"}},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const gateway::Config before = read(c.before), after = read(c.after);
    EXPECT_EQ(config_difference(before, after), c.lines);
    EXPECT_EQ(keys_needing_restart(before, after), c.restart);
  }
}

TEST(ConfigDifference, AListWithNamesIsComparedByThem) {
  const gateway::Config before = read("services: { app: { endpoints: [http://127.0.0.1:1] } }\n");
  const gateway::Config after = read(
      "services: { app: { endpoints: [http://127.0.0.1:1] } }\n"
      "routes: [{ name: all, service: app, public: true }]\n");
  const auto lines = config_difference(before, after);
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_TRUE(lines[0].starts_with("routes: [] → ")) << lines[0];
}

TEST(ConfigDifference, EveryKeyThatWaitsIsOneOfTheFile) {
  EXPECT_EQ(
      restart_keys(),
      (std::vector<std::string>{
          "process.shards", "process.user", "process.sandbox", "identity", "secrets.root_key_file", "secrets.root_key",
          "secrets.passphrase", "state.store", "state.store_password", "state.counters", "state.counters_password",
          "state.rate_entries", "telemetry.events", "telemetry.export", "audit", "admin.address", "admin.group"}));
}

}  // namespace
}  // namespace gatehouse::app
