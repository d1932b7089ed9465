#pragma once
// `gatehouse audit verify`, `prove`, `export`, `tail`: on the folder of a log, the gateway's or a copy. They need no
// gateway and no configuration: an auditor has the folder and the key.

#include <cstdint>
#include <string>

namespace gatehouse::app {

struct AuditOptions {
  std::string path, key, since, to;
  std::uint64_t index = 0;
  std::uint32_t lines = 20;
  bool follow = false, json = false;
};

// 0: it is what was signed; 1: it is not; 2: that could not be judged.
int run_audit_verify(const AuditOptions& options);
int run_audit_prove(const AuditOptions& options);
int run_audit_export(const AuditOptions& options);
int run_audit_tail(const AuditOptions& options);

}  // namespace gatehouse::app
