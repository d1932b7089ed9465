// The back end of bench/run: answers every request from memory, with as little of its own as possible, so that what is
// measured is the proxy. HTTP/1.1 with keep-alive and pipelining; a body has a Content-Length, and is not looked at.
//
//   GET /1m...   one MiB of text
//   anything     a small JSON object
//
// Usage: backend PORT    (0: a free one; prints the port when it listens)
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace {

constexpr std::string_view kBody =
    "{\"id\":\"p-1001\",\"name\":\"Oak writing desk\",\"category\":\"furniture\",\"price_cents\":42900,\"stock\":7}\n";
constexpr std::size_t kLargeBytes = 1024 * 1024;

std::string response(std::string_view type, std::string_view body) {
  std::string text = "HTTP/1.1 200 OK\r\ncontent-type: ";
  text.append(type).append("\r\ncontent-length: ").append(std::to_string(body.size())).append("\r\n\r\n");
  return text.append(body);
}

const std::string kSmall = response("application/json", kBody);
const std::string kLarge = response("text/plain", std::string(kLargeBytes, 'x'));

struct Connection {
  std::string in;
  std::string_view out;       // what is left of the answer being sent; one at a time
  std::string_view answer;    // to the request whose body is being read
  std::size_t body_left = 0;  // of it
};

// False when the connection is over.
bool send_rest(int fd, Connection& connection) {
  while (!connection.out.empty()) {
    const ssize_t sent = send(fd, connection.out.data(), connection.out.size(), MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN;
    connection.out.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

std::size_t body_bytes(std::string_view head) {
  constexpr std::string_view kName = "\r\ncontent-length:";
  const auto same = [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; };
  const auto found = std::search(head.begin(), head.end(), kName.begin(), kName.end(), same);
  if (found == head.end()) return 0;
  return std::strtoull(&*found + kName.size(), nullptr, 10);
}

bool answer_all(int fd, Connection& connection) {
  std::size_t at = 0;
  while (connection.out.empty()) {
    if (connection.answer.empty()) {
      const std::size_t end = connection.in.find("\r\n\r\n", at);
      if (end == std::string::npos) break;
      const std::string_view head = std::string_view(connection.in).substr(at, end + 2 - at);
      connection.answer = head.starts_with("GET /1m") ? kLarge : kSmall;
      connection.body_left = body_bytes(head);
      at = end + 4;
    }
    const std::size_t here = std::min(connection.body_left, connection.in.size() - at);
    connection.body_left -= here;
    at += here;
    if (connection.body_left > 0) break;
    connection.out = std::exchange(connection.answer, {});
    if (!send_rest(fd, connection)) return false;
  }
  connection.in.erase(0, at);
  return true;
}

bool serve(int fd, Connection& connection) {
  char buffer[16384];
  if (!send_rest(fd, connection)) return false;
  for (;;) {
    const ssize_t got = recv(fd, buffer, sizeof buffer, 0);
    if (got == 0) return false;
    if (got < 0) return errno == EAGAIN && answer_all(fd, connection);
    connection.in.append(buffer, static_cast<std::size_t>(got));
    if (!answer_all(fd, connection)) return false;
    if (static_cast<std::size_t>(got) < sizeof buffer) return true;
  }
}

void watch(int epoll, int operation, int fd, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  epoll_ctl(epoll, operation, fd, &event);
}

int listen_on(std::uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  const int yes = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || listen(fd, 4096) != 0) {
    std::perror("backend: listen");
    std::exit(1);
  }
  socklen_t length = sizeof address;
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length);
  std::printf("%u\n", ntohs(address.sin_port));
  std::fflush(stdout);
  return fd;
}

}  // namespace

int main(int argc, char** argv) {
  const int listener = listen_on(static_cast<std::uint16_t>(argc > 1 ? std::atoi(argv[1]) : 0));
  const int epoll = epoll_create1(0);
  watch(epoll, EPOLL_CTL_ADD, listener, EPOLLIN);
  std::unordered_map<int, Connection> connections;
  epoll_event events[256];
  for (;;) {
    const int count = epoll_wait(epoll, events, 256, -1);
    for (int i = 0; i < count; ++i) {
      const int fd = events[i].data.fd;
      if (fd == listener) {
        int accepted;
        while ((accepted = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK)) >= 0) {
          connections[accepted] = {};
          watch(epoll, EPOLL_CTL_ADD, accepted, EPOLLIN | EPOLLOUT | EPOLLET);
        }
      } else if (!serve(fd, connections[fd])) {
        connections.erase(fd);
        close(fd);
      }
    }
  }
}
