#pragma once
// systemd's readiness protocol (sd_notify(3)): one datagram to $NOTIFY_SOCKET. Nothing happens without it.

#include <string_view>

namespace gatehouse::app {
void notify_supervisor(std::string_view state);  // "READY=1", "RELOADING=1", "STOPPING=1", "MAINPID=…"
}
