#pragma once
// The keys of the audit log, files in data_dir. Control thread; before privileges are dropped.

#include <string>

#include "audit/note.h"
#include "base/secret_bytes.h"

namespace gatehouse::app {

struct AuditKeys {
  audit::NoteSigner signer;
  SecretBytes personal;
};

// Makes what is missing, unless there is a log already, which needs those of its time. Writes audit.vkey, too.
Result<AuditKeys> open_audit_keys(const std::string& data_dir, const std::string& log_folder);

}  // namespace gatehouse::app
