#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "http/stream.h"

namespace gatehouse::http {
namespace {

TEST(PeerCredentials, OfAUnixSocketAreOurs) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  const auto peer = peer_credentials(ends[0]);
  ASSERT_TRUE(peer);
  EXPECT_EQ(peer->uid, geteuid());
  ASSERT_FALSE(peer->groups.empty());
  EXPECT_EQ(peer->groups.front(), getegid());
  std::vector<gid_t> ours(static_cast<std::size_t>(getgroups(0, nullptr)));
  ASSERT_GE(getgroups(static_cast<int>(ours.size()), ours.data()), 0);
  for (const gid_t group : ours) {
    EXPECT_NE(std::find(peer->groups.begin(), peer->groups.end(), group), peer->groups.end());
  }
  close(ends[0]), close(ends[1]);
}

TEST(PeerCredentials, OfATcpSocketAreNone) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  EXPECT_FALSE(peer_credentials(fd));
  close(fd);
  EXPECT_FALSE(peer_credentials(-1));
}

}  // namespace
}  // namespace gatehouse::http
