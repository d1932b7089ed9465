#include "app/audit/checkpoint_target.h"

#include "audit/note.h"
#include "telemetry/log_destination.h"

namespace gatehouse::app {
namespace {

bool is_loopback(std::string_view url) {
  for (const std::string_view host : {"http://127.0.0.1", "http://[::1]", "http://localhost"}) {
    if (!url.starts_with(host)) continue;
    const std::string_view rest = url.substr(host.size());
    if (rest.empty() || rest[0] == '/' || rest[0] == ':') return true;
  }
  return false;
}

}  // namespace

Result<CheckpointTarget> parse_checkpoint_target(std::string_view text) {
  const auto refuse = [text](std::string_view why) {
    return fail(ErrorCode::invalid, fmt::format("a checkpoint cannot be put at {}: {}", text, why));
  };
  CheckpointTarget target{CheckpointTarget::Kind::file, std::string(text), {}};
  if (text.starts_with("syslog")) {
    const auto log = telemetry::parse_log_target(text);
    if (!log) return refuse(log.error().message);
    target.kind = CheckpointTarget::Kind::syslog;
    return target;
  }
  if (!text.starts_with("https://") && !text.starts_with("http://")) {
    if (text.find("://") != std::string_view::npos) return refuse("not a known scheme");
    if (!text.starts_with('/')) return refuse("not an absolute path");
    return target;
  }
  if (text.starts_with("http://") && !is_loopback(text)) return refuse("http is for this machine alone");
  if (text.find_first_of(" \t\r\n@") != std::string_view::npos)
    return refuse("neither spaces nor passwords belong there");
  target.kind = CheckpointTarget::Kind::post;
  const std::size_t fragment = text.find('#');
  if (fragment == std::string_view::npos) return target;
  const auto verifier = audit::NoteVerifier::parse(text.substr(fragment + 1));
  if (!verifier) return refuse(verifier.error().message);
  target.kind = CheckpointTarget::Kind::witness;
  target.where = text.substr(0, fragment);
  while (target.where.ends_with('/')) target.where.pop_back();
  target.vkey = verifier->vkey();
  return target;
}

}  // namespace gatehouse::app
