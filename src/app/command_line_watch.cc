#include "app/command_line_watch.h"

#include <CLI/CLI.hpp>

namespace gatehouse::app {
namespace {

void add_events(const CommandLineParts& parts, EventsOptions& events) {
  AdminOptions& admin = parts.admin;
  CLI::App* command = parts.app.add_subcommand("events", "Search what was kept of requests, and of what people did");
  parts.admin_options(command);
  const auto filter = [&](const char* option, const char* parameter, const char* type, const char* text) {
    command
        ->add_option_function<std::string>(
            option, [&events, parameter](const std::string& value) { events.query.emplace_back(parameter, value); },
            text)
        ->type_name(type);
  };
  filter("--since", "from", "TIME", "From then on: 15m, 24h or 7d ago, or 2026-01-31T12:00:00Z");
  filter("--until", "to", "TIME", "Before then, likewise");
  filter("--client", "client", "ADDRESS", "Of this address or network");
  filter("--user", "user", "USER", "Of this user");
  filter("--route", "route", "ROUTE", "On this route");
  filter("--service", "service", "SERVICE", "For this service");
  filter("--verdict", "verdict", "VERDICT", "pass, deny, delay or answer");
  filter("--layer", "layer", "LAYER", "Decided by this layer");
  filter("--reason", "reason", "REASON", "With this reason, of the decision or of any layer");
  filter("--rule", "rule", "NUMBER", "Matched by this inspection rule");
  filter("--status", "status", "STATUS", "Answered with this status");
  filter("--kind", "kind", "KIND", "request or act");
  filter("--text", "text", "WORDS", "With all of these words, wherever they stand");
  command->add_option("--limit", events.limit, "At most so many, the newest first")
      ->type_name("NUMBER")
      ->check(CLI::Range(1, 100'000).description(""))
      ->capture_default_str();
  parts.does(command, [&admin, &events] {
    events.json = admin.json;
    return with_target(admin, [&](const AdminTarget& target) { return run_events(target, events); });
  });
}

void add_verify(const CommandLineParts& parts, VerifyOptions& verify) {
  AdminOptions& admin = parts.admin;
  CLI::App* command =
      parts.app.add_subcommand("verify", "Try harmless attacks on the running gateway, and tell what held");
  parts.admin_options(command);
  command->add_option("--format", verify.format, "How the report is printed")
      ->type_name("FORMAT")
      ->check(CLI::IsMember({"text", "json", "sarif", "junit"}))
      ->capture_default_str();
  command->add_option("--route", verify.drills.route, "Only this route")->type_name("ROUTE");
  command->add_option("--bearer", verify.drills.token, "A good token, to try what is behind authentication")
      ->type_name("TOKEN")
      ->envname("GATEHOUSE_DRILL_TOKEN");
  command->add_flag("--all-methods", verify.drills.all_methods, "Also methods that could change something");
  command->add_flag("--rates", verify.drills.rates, "Also rate limits: services see the requests below them");
  parts.does(command, [&admin, &verify] {
    if (admin.json) verify.format = "json";
    return run_verify(admin, verify);
  });
}

}  // namespace

void add_watch_commands(const CommandLineParts& parts, WatchOptions& options) {
  add_events(parts, options.events);
  add_verify(parts, options.verify);
}

}  // namespace gatehouse::app
