#pragma once
// gatehouse audit: its words and options, as parts of the command line.

#include "app/command_line_parts.h"
#include "app/commands/audit.h"

namespace gatehouse::app {

void add_audit_commands(const CommandLineParts& parts, AuditOptions& options);

}  // namespace gatehouse::app
