// Ports and upstreams.
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <set>

#include "app/commands/admin_client.h"
#include "app/commands/doctor_checks.h"
#include "codec/json.h"
#include "net/socket.h"

namespace gatehouse::app {
namespace {

using State = Examination::State;

// Binds and lets go. Without SO_REUSEPORT: a port that another program shares is not free.
int try_bind(const net::SocketAddress& address) {
  const net::Fd fd(socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return errno;
  const int on = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (address.storage.ss_family == AF_INET6) {
    const int off = 0;
    setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  }
  return bind(fd.get(), reinterpret_cast<const sockaddr*>(&address.storage), address.length) == 0 ? 0 : errno;
}

std::string fix_for_bind(int error, const gateway::Address& address) {
  switch (error) {
    case EADDRINUSE: return fmt::format("ss -ltnp 'sport = :{}' shows who has it", address.port);
    case EACCES:
      return "ports below 1024 need root at start, CAP_NET_BIND_SERVICE, or net.ipv4.ip_unprivileged_port_start";
    case EADDRNOTAVAIL: return fmt::format("{} is no address of this machine: see ip address", address.host);
    default: return "check the address";
  }
}

void examine_unix_address(const gateway::Address& address, const std::string& name, std::vector<Examination>& found) {
  const std::string folder = std::filesystem::path(address.unix_path).parent_path().string();
  if (access(folder.c_str(), W_OK | X_OK) == 0) {
    found.push_back({"ports", name, State::good, address.to_string(), ""});
  } else {
    found.push_back({"ports", name, State::bad, fmt::format("no socket can be made in {}: {}", folder, strerror(errno)),
                     fmt::format("mkdir -p {0}, and let the gateway's user write there", folder)});
  }
}

// Whether a gateway that was started with this very file runs: what it has open, nobody else took.
bool runs_with(const gateway::AdminConfig& admin, const std::string& file) {
  if (!admin.address.is_given()) return false;
  const auto reply = admin_call({admin.address.to_string(), admin.token}, "GET", "/v1/status");
  if (!reply || reply->status != 200) return false;
  const auto status = codec::Json::parse(reply->body);
  if (!status || !status->is_object()) return false;
  const auto running = status->find_string("config_file");
  std::error_code error;
  return running && std::filesystem::equivalent(file, *running, error) && !error;
}

void examine_address(const gateway::Address& address, const std::string& name, bool running,
                     std::vector<Examination>& found) {
  if (!address.unix_path.empty()) return examine_unix_address(address, name, found);
  const auto ip = IpAddress::parse(address.host);
  if (!ip) return;
  const int error = try_bind(net::SocketAddress::tcp(*ip, address.port));
  if (error == 0) {
    found.push_back({"ports", name, State::good, address.to_string() + " is free", ""});
  } else if (error == EADDRINUSE && running) {
    found.push_back({"ports", name, State::good, address.to_string() + " is the running gateway's", ""});
  } else {
    found.push_back({"ports", name, State::bad, fmt::format("{}: {}", address.to_string(), strerror(error)),
                     fix_for_bind(error, address)});
  }
}

std::string connect_within(const net::SocketAddress& address, std::chrono::milliseconds timeout) {  // empty: connected
  auto fd = net::connect_start(address);
  if (!fd) return fd.error().message;
  pollfd waiting{fd->get(), POLLOUT, 0};
  if (poll(&waiting, 1, static_cast<int>(timeout.count())) <= 0)
    return fmt::format("no answer within {} ms", timeout.count());
  const int error = net::connect_error(fd->get());
  return error == 0 ? std::string() : strerror(error);
}

void examine_endpoint(const gateway::EndpointConfig& endpoint, const std::string& service, const DoctorOptions& options,
                      std::vector<Examination>& found) {
  const std::string name = fmt::format("{} {}", service, endpoint.url);
  const auto report = [&](const std::string& problem, std::string fix) {
    found.push_back({"upstreams", name, problem.empty() ? State::good : State::bad,
                     problem.empty() ? "connects" : problem, problem.empty() ? std::string() : std::move(fix)});
  };
  if (!endpoint.address.unix_path.empty()) {
    const auto address = net::SocketAddress::unix_path(endpoint.address.unix_path);
    return report(address ? connect_within(*address, options.connect_timeout) : address.error().message,
                  "start the service, and let the gateway's user open its socket");
  }
  if (endpoint.resolve_srv) {
    found.push_back({"upstreams", name, State::skipped, "SRV records are looked up when it runs",
                     fmt::format("dig SRV {}", endpoint.address.host)});
    return;
  }
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const int failure =
      getaddrinfo(endpoint.address.host.c_str(), std::to_string(endpoint.address.port).c_str(), &hints, &list);
  if (failure != 0)
    return report(fmt::format("cannot resolve {}: {}", endpoint.address.host, gai_strerror(failure)),
                  "check the name, and /etc/resolv.conf");
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owned(list, freeaddrinfo);
  std::string problem;
  for (const addrinfo* at = list; at != nullptr; at = at->ai_next) {
    net::SocketAddress address;
    std::memcpy(&address.storage, at->ai_addr, at->ai_addrlen);
    address.length = at->ai_addrlen;
    problem = connect_within(address, options.connect_timeout);
    if (problem.empty()) break;
  }
  report(problem, "start the service, or mend its address; a firewall may be between");
}

}  // namespace

void examine_ports(const gateway::Config& config, const std::string& file, std::vector<Examination>& found) {
  const bool running = runs_with(config.admin, file);
  for (const gateway::ListenerConfig& listener : config.listeners) {
    examine_address(listener.address, "listener " + listener.name, running, found);
  }
  if (config.telemetry.metrics) examine_address(*config.telemetry.metrics, "metrics", running, found);
  if (config.admin.address.is_given()) {
    examine_address(config.admin.address, "admin", running, found);
  }
}

void examine_upstreams(const gateway::Config& config, const DoctorOptions& options, std::vector<Examination>& found) {
  constexpr std::size_t kMax = 100;  // one after another: a doctor that takes an hour isn't asked
  std::size_t asked = 0;
  for (const gateway::ServiceConfig& service : config.services) {
    for (const gateway::EndpointConfig& endpoint : service.endpoints) {
      if (asked++ < kMax) examine_endpoint(endpoint, service.name, options, found);
    }
  }
  if (asked > kMax) {
    found.push_back(
        {"upstreams", "others", State::skipped, fmt::format("{} more endpoints were not tried", asked - kMax), ""});
  }
}

}  // namespace gatehouse::app
