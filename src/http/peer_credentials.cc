#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "http/stream.h"

namespace gatehouse::http {

std::optional<PeerCredentials> peer_credentials(int fd) {
  ucred peer{};
  socklen_t length = sizeof peer;
  // On a TCP socket the kernel answers with uid -1.
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0 || peer.pid == 0 || peer.uid == UINT32_MAX) {
    return std::nullopt;
  }
  PeerCredentials credentials{peer.uid, {peer.gid}};
  // Asked with too little room it says how much it takes; 65,536 groups are the kernel's own bound.
  length = 0;
  std::vector<gid_t> groups;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, nullptr, &length) != 0 && errno == ERANGE) {
    groups.resize(length / sizeof(gid_t));
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &length) != 0) groups.clear();
  }
  for (const gid_t group : groups) {
    if (group != peer.gid) credentials.groups.push_back(group);
  }
  return credentials;
}

}  // namespace gatehouse::http
