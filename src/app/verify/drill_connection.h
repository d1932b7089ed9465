#pragma once
// One request to one of our own listeners, byte by byte as a drill wants it, and the head of what comes back.
//
// Each call is a connection of its own, from an address of its own (127.0.0.0/8): what drills do is held against nobody
// else. Blocks for kAnswerMax at most. Certificates are not verified: the peer is the listener that the configuration
// names on this machine, and a drill looks at what it does, not who it is.

#include <chrono>
#include <string>
#include <string_view>

#include "base/result.h"
#include "gateway/config.h"

namespace gatehouse::app {

struct DrillReply {
  int status = 0;  // 0: the connection was closed without an answer
  std::string request_id, location;
  std::string nosniff, hsts;  // x-content-type-options, strict-transport-security
};

class DrillConnection {
 public:
  static constexpr std::chrono::seconds kAnswerMax{10};

  // `address`: where the listener is, as it can be reached. `source`: the address that this comes from.
  DrillConnection(const gateway::ListenerConfig& listener, gateway::Address address, std::string source)
      : listener_(listener), address_(std::move(address)), source_(std::move(source)) {}

  // unavailable: there is nobody.
  Result<DrillReply> send(std::string_view bytes) const;
  // Whether TLS of this version ("1.0", "1.1") is agreed upon.
  Result<bool> agrees_on_tls(std::string_view version) const;
  // The same in plain text, to a listener that wants TLS.
  Result<DrillReply> send_plain(std::string_view bytes) const;

 private:
  Result<DrillReply> exchange(std::string_view bytes, bool tls) const;

  const gateway::ListenerConfig& listener_;
  const gateway::Address address_;
  const std::string source_;
};

// Where a listener is reached from this machine: "0.0.0.0:8443" is 127.0.0.1:8443.
gateway::Address reachable_address(const gateway::Address& address);

}  // namespace gatehouse::app
