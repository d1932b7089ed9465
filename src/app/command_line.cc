#include "app/command_line.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>
#include <functional>

#include "app/command_line_audit.h"
#include "app/command_line_identity.h"
#include "app/command_line_watch.h"
#include "app/commands/admin_commands.h"
#include "app/commands/admin_target.h"
#include "app/commands/apikey.h"
#include "app/commands/backup.h"
#include "app/commands/check.h"
#include "app/commands/config_documents.h"
#include "app/commands/dev.h"
#include "app/commands/doctor.h"
#include "app/commands/run.h"
#include "app/commands/waf.h"
#include "app/commands/waf_stats.h"
#include "app/commands/waf_suggest.h"
#include "app/completions.h"
#include "app/config/scalars.h"

namespace gatehouse::app {
namespace {

constexpr int kUsage = 64;

// The bounds are told when they are broken; in --help they would be noise.
CLI::Validator in_range(int least, int most) { return CLI::Range(least, most).description(""); }

// Where the options of all commands land, and what is to be run.
struct CommandLine {
  CLI::App app{"A security gateway for microservices: one program, one configuration file."};
  std::function<int()> run;

  RunOptions run_options;
  CheckOptions check_options;
  std::string fail_on = "error";
  ConfigDocumentOptions document_options;
  DoctorOptions doctor_options;
  AdminOptions admin;
  std::string role = "administrator";
  bool dry_run = false;
  std::string request_id, log_file;
  WatchOptions watch;
  enum class BansAction : std::uint8_t { list, add, remove } bans_action = BansAction::list;
  std::string ban_network, ban_duration = "1h", ban_reason;
  ApiKeyOptions apikey;
  BackupOptions backup;
  AuditOptions audit;
  IdentityOptions identity;
  WafOptions waf;
  WafStatsOptions waf_stats;
  DevOptions dev;

  CommandLine();

 private:
  void add_run();
  void add_check();
  void add_config();
  void add_admin();
  void add_bans();
  void add_apikey();
  void add_backup();
  void add_waf();
  void add_waf_stats(CLI::App* command);
  void add_others();

  void does(CLI::App* command, std::function<int()> work) {
    command->callback([this, work = std::move(work)] { run = work; });
  }
  static void config_option(CLI::App* command, std::string& path) {
    command->add_option("-c,--config", path, "The configuration file")->type_name("FILE")->capture_default_str();
  }
  void admin_options(CLI::App* command) {
    config_option(command, admin.config_path);
    command->add_option("--address", admin.address, "The admin API, instead of the one in the configuration")
        ->type_name("ADDRESS");
    command
        ->add_option("--token", admin.token, "Its token; better in GATEHOUSE_ADMIN_TOKEN, which other users can't see")
        ->type_name("TOKEN");
    command->add_flag("--json", admin.json, "Print JSON");
  }
};

CommandLine::CommandLine() {
  app.name("gatehouse");
  app.require_subcommand(1);
  app.set_version_flag("--version", "gatehouse " GATEHOUSE_VERSION, "Print the version");
  app.set_help_flag("-h,--help", "Print this help");
  app.get_formatter()->column_width(34);
  add_run();
  add_check();
  add_config();
  add_admin();
  add_bans();
  add_apikey();
  add_backup();
  const CommandLineParts parts{
      app, admin, [this](CLI::App* command) { admin_options(command); },
      [this](CLI::App* command, std::function<int()> work) { does(command, std::move(work)); }};
  add_identity_commands(parts, identity);
  add_audit_commands(parts, audit);
  add_watch_commands(parts, watch);
  add_waf();
  add_others();
}

void CommandLine::add_run() {
  CLI::App* command = app.add_subcommand("run", "Run the gateway. SIGHUP reloads, SIGTERM drains");
  config_option(command, run_options.config_path);
  command
      ->add_option("--ready-fd", run_options.ready_fd,
                   "Write one JSON line with the addresses here once all ports are open")
      ->type_name("FD")
      ->check(in_range(0, 1 << 20));
  does(command, [this] { return run_gateway(run_options); });
}

void CommandLine::add_check() {
  CLI::App* command = app.add_subcommand("check", "Validate the configuration, then judge its security posture");
  config_option(command, check_options.config_path);
  command->add_option("--format", check_options.format, "How findings are printed")
      ->type_name("FORMAT")
      ->check(CLI::IsMember({"text", "json", "sarif"}))
      ->capture_default_str();
  command->add_flag_callback(
      "--json", [this] { check_options.format = "json"; }, "Print JSON, as --format json does");
  command->add_option("--fail-on", fail_on, "The least severity that makes the exit code 1")
      ->type_name("SEVERITY")
      ->check(CLI::IsMember({"error", "warning", "info"}))
      ->capture_default_str();
  command->add_flag_callback(
      "--no-files", [this] { check_options.look_at_files = false; },
      "Don't look at the files it names: judge it away from its machine");
  does(command, [this] {
    check_options.fail_on = *severity_of(fail_on);
    return run_check(check_options);
  });
}

void CommandLine::add_config() {
  CLI::App* command =
      app.add_subcommand("config", "The configuration's schema, defaults, reference, and effective values");
  command->require_subcommand(1);
  const auto document = [&](const char* name, const char* description, ConfigDocument which) {
    CLI::App* sub = command->add_subcommand(name, description);
    // accepted by all, so that scripts need not know which of them reads a file
    config_option(sub, document_options.config_path);
    if (which == ConfigDocument::show) sub->add_flag("--json", document_options.json, "Print JSON");
    does(sub, [this, which] {
      document_options.document = which;
      return run_config_document(document_options);
    });
  };
  document("schema", "Print the JSON Schema, for editors", ConfigDocument::schema);
  document("default", "Print a file with every key, its text and its default", ConfigDocument::defaults);
  document("show", "Print what the file means with all its defaults; secrets are masked", ConfigDocument::show);
  document("reference", "Print the reference page in Markdown", ConfigDocument::reference);
}

void CommandLine::add_admin() {
  CLI::App* reload =
      app.add_subcommand("reload", "Validate the file aside, show the difference, then swap; nothing is dropped");
  admin_options(reload);
  reload->add_flag("--dry-run", dry_run, "Only show the difference");
  does(reload, [this] {
    return with_target(admin, [this](const AdminTarget& target) { return run_reload(target, dry_run, admin.json); });
  });

  CLI::App* rollback = app.add_subcommand("rollback", "Go back to the last good configuration");
  admin_options(rollback);
  does(rollback, [this] {
    return with_target(admin, [this](const AdminTarget& target) { return run_rollback(target, admin.json); });
  });

  CLI::App* explain = app.add_subcommand("explain", "Why was this request answered as it was?");
  admin_options(explain);
  explain->add_option("REQUEST_ID", request_id, "From the answer's x-request-id")->required();
  explain->add_option("--log", log_file, "Search this access log instead of asking the running gateway")
      ->type_name("FILE");
  does(explain, [this] {
    if (!log_file.empty()) return run_explain({}, request_id, log_file, admin.json);
    return with_target(
        admin, [this](const AdminTarget& target) { return run_explain(target, request_id, std::nullopt, admin.json); });
  });

  CLI::App* status =
      app.add_subcommand("status", "Listeners, services and their health, the configuration's generation");
  admin_options(status);
  does(status, [this] {
    return with_target(admin, [this](const AdminTarget& target) { return run_status(target, admin.json); });
  });

  CLI::App* dashboard = app.add_subcommand("dashboard", "Print a link that signs a browser in, once");
  admin_options(dashboard);
  dashboard->add_option("--role", role, "viewer, operator or administrator")->capture_default_str();
  does(dashboard, [this] {
    return with_target(admin, [this](const AdminTarget& t) { return run_dashboard(t, role, admin.json); });
  });
}

void CommandLine::add_bans() {
  CLI::App* command = app.add_subcommand("bans", "List, add and remove timed bans");
  admin_options(command);
  does(command, [this] {
    return with_target(admin, [this](const AdminTarget& target) {
      switch (bans_action) {
        case BansAction::add: return run_bans_add(target, ban_network, ban_duration, ban_reason, admin.json);
        case BansAction::remove: return run_bans_remove(target, ban_network, admin.json);
        case BansAction::list: break;
      }
      return run_bans_list(target, admin.json);
    });
  });
  const auto action = [&](const char* name, const char* description, BansAction which) {
    CLI::App* sub = command->add_subcommand(name, description);
    admin_options(sub);
    if (which != BansAction::list) sub->add_option("NETWORK", ban_network, "An address or network")->required();
    if (which == BansAction::add) {
      sub->add_option("--for", ban_duration, "How long: 10m, 24h, 7d")->type_name("DURATION")->capture_default_str();
      sub->add_option("--reason", ban_reason, "For the record")->type_name("TEXT");
    }
    // A command's own callback runs after those of its subcommands: what is asked for is told by the action.
    sub->callback([this, which] { bans_action = which; });
  };
  action("list", "The bans that are in force", BansAction::list);
  action("add", "Ban an address or a network", BansAction::add);
  action("remove", "Lift a ban", BansAction::remove);
}

void CommandLine::add_waf() {
  CLI::App* command =
      app.add_subcommand("waf", "Try a rule set offline; which rules match and cost; the exclusion for a false alarm");
  command->require_subcommand(1);
  const auto action = [&](const char* name, const char* description) {
    CLI::App* sub = command->add_subcommand(name, description);
    sub->add_option("--rules", waf.rules,
                    "SecLang files, or a pattern of them; `crs` is the installed Core Rule Set. Repeatable")
        ->type_name("GLOB")
        ->required();
    sub->add_option("--setup", waf.setup, "Rules that stand before all others")->type_name("FILE");
    sub->add_option("--cache", waf.cache, "Run them as the gateway does, and keep the compiled patterns here")
        ->type_name("FILE");
    return sub;
  };
  CLI::App* attempt = action("try", "Run one HTTP request through the rules and print what they make of it, as JSON");
  attempt->add_option("--request", waf.request, "The request; standard input otherwise")->type_name("FILE");
  attempt->add_flag("--json", waf.json, "Print JSON, as it does anyway");
  does(attempt, [this] { return run_waf_try(waf); });
  CLI::App* test = action("test", "Run regression tests in go-ftw's format");
  test->add_option("tests", waf.tests, "Files, or folders that are searched for them")->type_name("TESTS");
  test->add_flag("--json", waf.json, "Print JSON: each test with its verdict");
  does(test, [this] {
    waf.take_tests_from_rules();
    return run_waf_test(waf);
  });

  CLI::App* suggest =
      command->add_subcommand("suggest", "The narrowest exclusion that would have let a refused request pass");
  admin_options(suggest);
  suggest->add_option("REQUEST_ID", request_id, "From the answer's x-request-id")->required();
  does(suggest, [this] {
    return with_target(admin,
                       [this](const AdminTarget& target) { return run_waf_suggest(target, request_id, admin.json); });
  });
  add_waf_stats(command);
}

void CommandLine::add_waf_stats(CLI::App* waf_command) {
  CLI::App* stats = waf_command->add_subcommand("stats", "Which rules match, which cost most, and which never match");
  admin_options(stats);
  stats->add_option("--by", waf_stats.by, "What they are ordered by")
      ->type_name("ORDER")
      ->check(CLI::IsMember({"hits", "cost"}))
      ->capture_default_str();
  stats->add_option("--limit", waf_stats.limit, "How many are listed")
      ->type_name("N")
      ->check(in_range(1, 1'000'000))
      ->capture_default_str();
  stats->add_flag("--never", waf_stats.never, "List those that never matched");
  stats->add_flag("--all", waf_stats.all, "Also rules that log nothing and serve others, as set-up does");
  does(stats, [this] {
    return with_target(admin,
                       [this](const AdminTarget& target) { return run_waf_stats(target, waf_stats, admin.json); });
  });
}

void CommandLine::add_apikey() {
  CLI::App* command = app.add_subcommand("apikey", "Make, list and revoke API keys");
  command->require_subcommand(1);
  const auto action = [&](const char* name, const char* description, ApiKeyOptions::Action which) {
    CLI::App* sub = command->add_subcommand(name, description);
    config_option(sub, apikey.config_path);
    sub->add_option("--file", apikey.file, "The key file, instead of the one in the configuration")->type_name("FILE");
    sub->add_flag("--json", apikey.json, "Print JSON");
    if (which == ApiKeyOptions::Action::create) {
      sub->add_option("--user", apikey.user, "Whom the key speaks for")->type_name("NAME")->required();
      sub->add_option("--role", apikey.roles, "A role of the key; may be repeated")->type_name("ROLE");
      sub->add_option("--scope", apikey.scopes, "A scope of the key; may be repeated")->type_name("SCOPE");
      sub->add_option("--expires", apikey.expires, "How long it is good: 90d; absent: until revoked")
          ->type_name("DURATION");
    }
    if (which == ApiKeyOptions::Action::revoke)
      sub->add_option("KEY_ID", apikey.key_id, "Which one: see list")->required();
    does(sub, [this, which] {
      apikey.action = which;
      return run_apikey(apikey);
    });
  };
  action("create", "Make a key; it is shown once", ApiKeyOptions::Action::create);
  action("list", "The keys that there are", ApiKeyOptions::Action::list);
  action("revoke", "End a key", ApiKeyOptions::Action::revoke);
}

void CommandLine::add_backup() {
  const auto command = [&](const char* name, const char* does_what, const char* file, BackupOptions::Action which) {
    CLI::App* sub = app.add_subcommand(name, does_what);
    config_option(sub, backup.config_path);
    sub->add_option(file, backup.file, "The backup's file")->required();
    does(sub, [this, which] {
      backup.action = which;
      return run_backup(backup);
    });
  };
  command("backup", "Save the store to a file; the gateway may run", "TARGET", BackupOptions::Action::backup);
  command("restore", "Put a backup in the place of the store; the gateway must not run", "SOURCE",
          BackupOptions::Action::restore);
}

void CommandLine::add_others() {
  CLI::App* dev_command =
      app.add_subcommand("dev", "A small shop of services behind a fully armed gateway, to try things out");
  dev_command->add_option("--port", dev.port, "Where it listens; a free port when it is taken")
      ->type_name("PORT")
      ->check(in_range(0, 65535))
      ->capture_default_str();
  dev_command->add_option("--demo", dev.demo_dir, "The folder with the demo's services")->type_name("DIR");
  does(dev_command, [this] { return run_dev(dev); });

  CLI::App* doctor = app.add_subcommand("doctor", "Would the gateway run here, now, with this file?");
  config_option(doctor, doctor_options.config_path);
  doctor->add_flag("--json", doctor_options.json, "Print JSON");
  does(doctor, [this] { return run_doctor(doctor_options); });

  CLI::App* completions = app.add_subcommand("completions", "Print a completion script for a shell");
  completions->require_subcommand(1);
  for (const auto& [name, shell] : {std::pair{"bash", Shell::bash}, {"zsh", Shell::zsh}, {"fish", Shell::fish}}) {
    does(completions->add_subcommand(name, std::string("For ") + name), [shell = shell] {
      std::fputs(completion_script(shell).c_str(), stdout);
      return 0;
    });
  }
  does(app.add_subcommand("version", "Print the version"), [] {
    std::puts("gatehouse " GATEHOUSE_VERSION);
    return 0;
  });
}

CommandNode describe(const CLI::App& app) {
  CommandNode node{app.get_name(), app.get_description(), {}, {}};
  for (const CLI::Option* option : app.get_options()) {
    OptionNode described;
    for (const std::string& name : option->get_lnames()) described.names.push_back("--" + name);
    for (const std::string& name : option->get_fnames()) {
      if (described.names.empty()) described.names.push_back(name);
    }
    for (const std::string& name : option->get_snames()) described.names.push_back("-" + name);
    if (described.names.empty()) continue;  // positional
    described.description = option->get_description();
    described.value = option->get_expected_max() > 0 ? option->get_type_name() : "";
    node.options.push_back(std::move(described));
  }
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; }))
    node.commands.push_back(describe(*sub));
  return node;
}

}  // namespace

std::string completion_script(Shell shell) {
  const CommandLine line;
  const CommandNode root = describe(line.app);
  switch (shell) {
    case Shell::bash: return bash_completion(root);
    case Shell::zsh: return zsh_completion(root);
    case Shell::fish: return fish_completion(root);
  }
  return {};
}

namespace {

std::vector<std::string> commands_below(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(sub->get_name());
  return names;
}

std::string not_accepted(std::string_view kind, const std::string& word, const std::vector<std::string>& names) {
  return fmt::format("there is no {} \"{:.60}\"; {}", kind, word,
                     not_a_choice(word, {names.begin(), names.end()}).hint);
}

// What is wrong, in the words of the command that was begun; CLI11 would ask for a subcommand where one is misspelt.
std::string usage_mistake(const CLI::App& command, const std::string& word, const CLI::ParseError& error) {
  const std::vector<std::string> commands = commands_below(command);
  if (word.starts_with('-')) {
    std::vector<std::string> options;
    for (const OptionNode& option : describe(command).options)
      options.insert(options.end(), option.names.begin(), option.names.end());
    return not_accepted("option", word, options);
  }
  if (!word.empty() && !commands.empty()) return not_accepted("command", word, commands);
  if (!word.empty()) {
    const bool file = command.get_option_no_throw("--config") != nullptr;
    return fmt::format("\"{:.60}\" is one word too many{}", word,
                       file ? "; a configuration is named with -c FILE" : "");
  }
  if (!commands.empty() && command.get_require_subcommand_min() > 0 && command.get_subcommands().empty())
    return fmt::format("a command is missing: {}", fmt::join(commands, ", "));
  return error.what();
}

int tell_usage(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App* command = &app;
  std::string path = app.get_name();
  while (!command->get_subcommands().empty()) {
    command = command->get_subcommands().front();
    path += " " + command->get_name();
  }
  const std::vector<std::string> words = app.remaining(true);
  const std::string mistake = usage_mistake(*command, words.empty() ? std::string() : words.front(), error);
  std::fprintf(stderr, "%s: %s\n  see %s --help\n", path.c_str(), mistake.c_str(), path.c_str());
  return kUsage;
}

}  // namespace

int run_command_line(int argc, char** argv) {
  CommandLine line;
  try {
    line.app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return line.app.exit(e);  // --help and --version come this way too
    return tell_usage(line.app, e);
  }
  try {
    return line.run ? line.run() : kUsage;
  } catch (const std::exception& e) {  // memory that ran out, or a library that throws: say so, and don't dump core
    std::fprintf(stderr, "gatehouse: %s\n", e.what());
    return 1;
  }
}

}  // namespace gatehouse::app
