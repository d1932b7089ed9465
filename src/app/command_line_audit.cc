#include "app/command_line_audit.h"

#include <CLI/CLI.hpp>

namespace gatehouse::app {

void add_audit_commands(const CommandLineParts& parts, AuditOptions& options) {
  CLI::App* command = parts.app.add_subcommand("audit", "The tamper-evident log: verify it, prove an entry, read it");
  command->require_subcommand(1);
  const auto action = [&](const char* name, const char* about, int (*run)(const AuditOptions&)) {
    CLI::App* sub = command->add_subcommand(name, about);
    sub->add_flag("--json", options.json, "Print JSON");
    parts.does(sub, [&options, run] { return run(options); });
    return sub;
  };
  const auto key = [&](CLI::App* sub) {
    sub->add_option("--key", options.key, "The log's public key (name+hex+base64), or the file with it")
        ->type_name("KEY")
        ->required();
  };
  const auto folder = [&](CLI::App* sub) { sub->add_option("DIR", options.path, "The folder of the log")->required(); };
  const auto index = [&](CLI::App* sub) {
    sub->add_option("ENTRY", options.index, "Its place: the first is 0")->required();
  };

  CLI::App* verify =
      action("verify", "Is it what was signed? 0: yes, 1: no, 2: that could not be judged", run_audit_verify);
  verify->add_option("PATH", options.path, "The folder of a log, or a .tlog-proof file")->required();
  key(verify);
  verify->add_option("--since", options.since, "A checkpoint kept elsewhere, which the log has to continue")
      ->type_name("FILE");
  CLI::App* prove = action("prove", "Show an entry, and that it is in the log", run_audit_prove);
  folder(prove);
  index(prove);
  key(prove);
  CLI::App* exported = action("export", "Write the proof of an entry that others can verify", run_audit_export);
  folder(exported);
  index(exported);
  key(exported);
  exported->add_option("--to", options.to, "The file; absent: standard output")->type_name("FILE");
  CLI::App* tail = action("tail", "The last entries, those not yet published included", run_audit_tail);
  folder(tail);
  tail->add_option("-n,--lines", options.lines, "How many")->type_name("COUNT")->capture_default_str();
  tail->add_flag("-f,--follow", options.follow, "Go on with what comes");
}

}  // namespace gatehouse::app
