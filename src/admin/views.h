#pragma once
// The admin API's answers as JSON (docs/admin-api.yaml has their schemas).

#include <string>
#include <vector>

#include "admin/backend.h"

namespace gatehouse::admin {

std::string to_json(const StatusView& status);
std::string to_json(const ReloadReport& report);
std::string to_json(const std::vector<BanView>& bans);
std::string to_json(const std::vector<ServiceView>& services);
std::string to_json(const std::vector<telemetry::StoredRecord>& records);
std::string reasons_json(const std::vector<std::string>& codes);

}  // namespace gatehouse::admin
