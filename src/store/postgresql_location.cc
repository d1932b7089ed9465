#include "store/postgresql_location.h"

#include <libpq-fe.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "base/ip.h"

namespace gatehouse::store {
namespace {

constexpr const char* kAuthorities[] = {"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
                                        "/etc/ssl/cert.pem"};
// Named because libpq would ask the environment for a host that is not named.
constexpr std::string_view kDefaultHost = "/var/run/postgresql";

std::vector<std::string_view> split_hosts(std::string_view list) {
  std::vector<std::string_view> hosts;
  for (;;) {
    const std::size_t comma = list.find(',');
    hosts.push_back(list.substr(0, comma));
    if (comma == std::string_view::npos) return hosts;
    list.remove_prefix(comma + 1);
  }
}

bool is_this_machine(std::string_view host) {
  if (host.empty() || host.front() == '/' || host.front() == '@' || host == "localhost") return true;
  const auto address = IpAddress::parse(host);
  return address && (Network::parse("127.0.0.0/8")->contains(*address) || address == IpAddress::parse("::1"));
}

class Parameters {
 public:
  explicit Parameters(PostgresqlLocation& location) : list_(location.parameters) {}

  std::string_view of(std::string_view name) const {
    const auto found = std::find_if(list_.begin(), list_.end(), [&](const auto& entry) { return entry.first == name; });
    return found == list_.end() ? std::string_view() : std::string_view(found->second);
  }
  void unless_given(std::string_view name, std::string_view value) {
    if (of(name).empty()) list_.emplace_back(name, value);
  }

 private:
  std::vector<std::pair<std::string, std::string>>& list_;
};

void decide_tls(PostgresqlLocation& location, Parameters& parameters) {
  const std::string_view reached = parameters.of(parameters.of("hostaddr").empty() ? "host" : "hostaddr");
  const auto hosts = split_hosts(reached);
  location.local = std::all_of(hosts.begin(), hosts.end(), is_this_machine);
  parameters.unless_given("sslmode", location.local ? "prefer" : "verify-full");
  const std::string mode(parameters.of("sslmode"));
  location.verified = location.local || mode == "verify-full";
  if (mode != "verify-full" && mode != "verify-ca") return;
  for (const char* file : kAuthorities) {
    if (::access(file, R_OK) == 0) return parameters.unless_given("sslrootcert", file);
  }
}

std::string printable(const Parameters& parameters) {
  std::string user(parameters.of("user")), name(parameters.of("dbname"));
  return fmt::format("postgresql://{}{}{}/{}", user, user.empty() ? "" : "@", parameters.of("host"), name);
}

}  // namespace

Result<PostgresqlLocation> read_postgresql_location(std::string_view location) {
  char* complaint = nullptr;
  const std::unique_ptr<PQconninfoOption, void (*)(PQconninfoOption*)> options(
      ::PQconninfoParse(std::string(location).c_str(), &complaint), &::PQconninfoFree);
  if (!options) {
    // libpq's words quote what it could not read, which may be a piece of a password.
    ::PQfreemem(complaint);
    return fail(ErrorCode::invalid,
                "not a PostgreSQL location: postgresql://user@host:port/name?sslmode=verify-full, other characters "
                "percent-encoded, and parameters that libpq knows",
                ErrorSource::configuration);
  }
  PostgresqlLocation read;
  for (const PQconninfoOption* option = options.get(); option->keyword; ++option) {
    if (!option->val || !*option->val) continue;
    const std::string_view keyword = option->keyword;
    if (keyword == "password") {
      read.password = SecretBytes(std::string_view(option->val));
      ::explicit_bzero(option->val, std::string_view(option->val).size());
    } else {
      read.parameters.emplace_back(keyword, option->val);
    }
  }
  Parameters parameters(read);
  parameters.unless_given("host", kDefaultHost);
  decide_tls(read, parameters);
  if (split_hosts(parameters.of("host")).size() > 1) parameters.unless_given("target_session_attrs", "read-write");
  parameters.unless_given("application_name", "gatehouse");
  parameters.unless_given("gssencmode", "disable");
  parameters.unless_given("client_encoding", "UTF8");
  parameters.unless_given("keepalives_idle", "30");
  parameters.unless_given("tcp_user_timeout", "15000");  // milliseconds
  read.printable = printable(parameters);
  return read;
}

}  // namespace gatehouse::store
