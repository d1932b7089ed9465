#pragma once
// The table: every key of the configuration file, its kind, its member, and its text. It drives the reading, the
// JSON Schema, the annotated defaults, `config show` and docs/configuration.md.
//
// To add a key: give the struct in gateway/config.h a member with its default, add one line here, and run
// `gatehouse config reference > docs/configuration.md`.

#include "app/config/kind.h"

namespace gatehouse::app {

const Object& root_object();  // fills gateway::Config

// The blocks that the root is made of, one file each.
const Object& process_object();
const Object& listener_object();
const Object& service_object();
const Object& route_object();
const Object& rate_limit_object();
const Object& authentication_object();
const Object& penalties_object();
const Object& bans_object();
const Object& waf_object();
const Object& route_waf_object();
const Object& state_object();  // fills gateway::Config
const Object& telemetry_object();
const Object& events_object();
const Object& audit_object();
const Object& export_object();
const Object& admin_object();
const Object& identity_object();
const Object& secrets_object();
const Object& login_object();
// What only the whole configuration can tell of it.
void check_login(Reader& reader, const Given& given, const gateway::Config& config);
Kind<std::string> outside_issuer_url();  // of somebody else's OpenID provider: as it names itself

Kind<std::vector<gateway::Zone>> zones();
// `layers: { rate: monitor }`
Kind<std::vector<std::pair<telemetry::Layer, gateway::Mode>>> layer_modes();
Kind<gateway::Mode> mode();

// The layers that have a mode, as the file names them.
struct LayerName {
  telemetry::Layer layer;
  std::string_view name;
  std::string_view doc;
  bool available;  // part of this version
};
const std::vector<LayerName>& layer_names();

}  // namespace gatehouse::app
