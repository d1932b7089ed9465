#pragma once
// Who may call the demo's shop: a signing key with its JWKS, tokens of three people, and a partner's API key. All are
// made for this run, written into `folder` with mode 0600, and gone with it.
//
//   jwks.json, keys.yaml              what the gateway verifies with
//   alice, alice-mfa, olga, partner   one header field each, for `curl -H @FILE`

#include <string>

#include "base/clock.h"
#include "base/result.h"

namespace gatehouse::app {

Status write_demo_credentials(const std::string& folder, const Clock& clock);

}  // namespace gatehouse::app
