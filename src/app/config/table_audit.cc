// audit
#include "app/audit/checkpoint_target.h"
#include "app/config/scalars.h"
#include "app/config/table.h"

namespace gatehouse::app {
namespace {

using namespace gateway;

Kind<std::string> checkpoint_target() {
  return text_form<std::string>(
      {.title = "path, syslog://host:port, https://… or https://…#VERIFIER_KEY of a witness",
       .parse = [](Reader& reader, std::string_view written, YamlPosition, std::string& into) -> Parsed {
         const bool path = written.find("://") == std::string_view::npos;
         into = path ? reader.absolute(written) : std::string(written);
         const auto target = parse_checkpoint_target(into);
         if (target) return std::nullopt;
         return Refusal{target.error().message,
                        "write ./PATH, syslog://host:port, https://host/path, or https://host/prefix#name+hash+key"};
       },
       .format = [](const Writer&, const std::string& value) { return value; }});
}

}  // namespace

const Object& audit_object() {
  static const Object object = Object::of<AuditConfig>(
      "audit",
      "The tamper-evident log in data_dir/audit, of administrative acts, authentications, denials and key operations. "
      "Where it cannot be written, administrative acts are refused, and requests go on.",
      {
          key<&AuditConfig::enabled>("enabled", boolean(), "Whether there is one."),
          key<&AuditConfig::denials>("denials", boolean(), "Whether denied requests are in it, too."),
          key<&AuditConfig::checkpoints>(
              "checkpoints", one_or_list_of(checkpoint_target()),
              "Where its checkpoints are put beside it, so that a log that was rolled back or rewritten is found out: "
              "files (on another machine's disk; a start against one that the log does not continue is refused), "
              "syslog, "
              "an address that takes them by POST, witnesses (C2SP tlog-witness).",
              {.example = "[/mnt/elsewhere/gatehouse.checkpoint]"}),
          key<&AuditConfig::checkpoint_interval>("interval", duration(100ms, 24h),
                                                 "How often a checkpoint is published, when there is something new."),
      });
  return object;
}

}  // namespace gatehouse::app
