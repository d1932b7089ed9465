#include "app/commands/dev.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <vector>

#include "app/commands/admin_commands.h"
#include "app/commands/run.h"
#include "app/config/load.h"
#include "app/control/rule_progress.h"
#include "app/dev/demo_credentials.h"
#include "app/dev/demo_keeper.h"
#include "app/dev/demo_people.h"
#include "app/dev/demo_text.h"
#include "base/file.h"
#include "crypto/random.h"
#include "crypto/x509.h"
#include "gateway/layers/waf/rule_store.h"
#include "net/socket.h"

namespace gatehouse::app {
namespace {

namespace fs = std::filesystem;

constexpr std::uint16_t kAdminPort = 9900;

Result<std::string> find_demo(const std::string& given) {
  std::vector<fs::path> places;
  std::error_code ignored;
  if (!given.empty()) {
    places.emplace_back(given);
  } else if (const char* named = std::getenv("GATEHOUSE_DEMO_DIR")) {
    places.emplace_back(named);
  } else {
    const fs::path program = fs::read_symlink("/proc/self/exe", ignored);
    places.push_back(program.parent_path() / "../../demo");  // build/release/gatehouse
    places.push_back(program.parent_path() / "../share/gatehouse/demo");
    places.emplace_back("/usr/share/gatehouse/demo");
  }
  for (const fs::path& place : places) {
    if (fs::exists(place / "gatehouse.yaml", ignored)) return fs::canonical(place, ignored).string();
  }
  return fail(ErrorCode::not_found,
              fmt::format("no demo in {}; GATEHOUSE_DEMO_DIR can name it", places.front().string()));
}

Result<std::string> find_python() {
  const char* path = std::getenv("PATH");
  std::string_view rest = path != nullptr ? path : "/usr/bin:/bin";
  std::vector<std::string> candidates{"/usr/bin/python3"};
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(':'), rest.size());
    candidates.push_back(fmt::format("{}/python3", rest.substr(0, end)));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  for (const std::string& candidate : candidates) {
    if (access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return fail(ErrorCode::not_found, "python3 is needed for the demo's services: apt-get install python3");
}

// `wanted` when nobody has it on the loopback address, else one that the kernel picks. 0: none at all.
std::uint16_t free_port(std::uint16_t wanted) {
  for (const std::uint16_t port : {wanted, std::uint16_t{0}}) {
    const net::Fd probe(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    if (bind(probe.get(), reinterpret_cast<sockaddr*>(&address), length) == 0 &&
        getsockname(probe.get(), reinterpret_cast<sockaddr*>(&address), &length) == 0) {
      return ntohs(address.sin_port);
    }
  }
  return 0;
}

// Puts the values where the template has @NAME@; every name must be known.
Result<std::string> fill_in(const std::string& file, const std::map<std::string, std::string, std::less<>>& values) {
  std::ifstream in(file);
  const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  std::string out;
  std::size_t at = 0;
  for (std::size_t open; (open = text.find('@', at)) != std::string::npos;) {
    const std::size_t close = text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ_", open + 1);
    if (close == std::string::npos || text[close] != '@' || close == open + 1) {  // a lone @
      out.append(text, at, open + 1 - at);
      at = open + 1;
      continue;
    }
    const auto value = values.find(std::string_view(text).substr(open + 1, close - open - 1));
    if (value == values.end())
      return fail(ErrorCode::invalid, fmt::format("{}: no value for {}", file, text.substr(open, close + 1 - open)));
    out.append(text, at, open - at).append(value->second);
    at = close + 1;
  }
  return out.append(text, at);
}

// As root the gateway becomes somebody else, who must own what it reads again at a reload.
const passwd* user_to_become() {
  if (geteuid() != 0) return nullptr;
  const passwd* gatehouse = getpwnam("gatehouse");
  return gatehouse != nullptr ? gatehouse : getpwnam("nobody");
}

Status give_to(const passwd& user, const std::string& folder) {
  std::error_code error;
  std::vector<std::string> paths{folder};
  for (const auto& file : fs::recursive_directory_iterator(folder, error)) paths.push_back(file.path().string());
  for (const std::string& path : paths) {
    if (lchown(path.c_str(), user.pw_uid, user.pw_gid) != 0) return fail_errno("giving away " + path);
  }
  return {};
}

// Where compiled rules are kept from one demo to the next; empty: nowhere.
std::string cache_folder() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  if (cache != nullptr && *cache == '/') return fmt::format("{}/gatehouse", cache);
  const char* home = std::getenv("HOME");
  return home != nullptr && *home == '/' ? fmt::format("{}/.cache/gatehouse", home) : std::string();
}

// Compiling takes a minute, and the demo's own folder goes with it: the gateway is given what an earlier demo compiled.
Status compile_rules(const std::string& config_file, const std::string& data_dir) {
  const LoadOutcome outcome = load_config(config_file);
  std::string folder = cache_folder();
  if (!outcome.ok()) return {};  // whoever runs it says what is wrong
  if (folder.empty() || !make_private_folder(folder)) return {};
  gateway::Config config = *outcome.config;
  config.data_dir = folder;
  auto loaded = gateway::RuleStore(show_rule_progress).load(config);
  if (!loaded) return tl::unexpected(loaded.error());
  std::error_code error;
  fs::create_directories(data_dir, error);
  for (const auto& file : fs::directory_iterator(folder, error)) fs::copy(file.path(), data_dir, error);
  return {};
}

struct Prepared {
  std::string demo_dir, folder, config_file, program;
  std::uint16_t port = 0, admin_port = 0;
  std::vector<DemoService> services;
  DemoPasswords passwords = make_demo_passwords();
  SecretBytes admin_token{crypto::random_token()};

  AdminTarget admin() const { return {fmt::format("127.0.0.1:{}", admin_port), admin_token}; }
};

// Three services of the shop, and somebody else's application.
std::vector<DemoService> services_of(const Prepared& demo, const std::string& python) {
  const auto service = [&](std::string name, std::vector<std::string> more) {
    std::vector<std::string> argv{python, "-B", fmt::format("{}/{}.py", demo.demo_dir, name), "--port", "0"};
    argv.insert(argv.end(), more.begin(), more.end());
    return DemoService{std::move(name), std::move(argv), 0};
  };
  const std::string customers = demo.folder + "/customers.json", shop = fmt::format("https://localhost:{}", demo.port);
  return {service("catalogue", {"--customers", customers}),
          service("orders", {"--customers", customers, "--database", demo.folder + "/orders.db"}),
          service("payments", {"--customers", customers}),
          service("parcels", {"--shop", shop, "--issuer", shop + "/id", "--ca", demo.folder + "/ca.pem"})};
}

Status prepare(Prepared& demo) {
  auto authority = crypto::LocalAuthority::open(demo.folder + "/ca", "shop.example");
  if (!authority) return tl::unexpected(std::move(authority.error()));
  const auto certificate = authority->issue_server({"localhost", "shop.example", "127.0.0.1"});
  if (!certificate) return tl::unexpected(certificate.error());
  if (auto token = write_file_atomically(demo.folder + "/admin.token", demo.admin_token.expose()); !token) return token;
  std::error_code error;
  fs::copy_file(authority->certificate_file(), demo.folder + "/ca.pem", error);
  if (error) return fail(ErrorCode::io, error.message());
  if (auto written = write_demo_credentials(demo.folder, SystemClock::instance()); !written) return written;

  std::map<std::string, std::string, std::less<>> values{
      {"LISTEN", fmt::format("127.0.0.1:{}", demo.port)}, {"PORT", std::to_string(demo.port)},
      {"ADMIN", std::to_string(demo.admin_port)},         {"CERTIFICATE", certificate->certificate_file},
      {"CERTIFICATE_KEY", certificate->key_file},         {"ACCESS_LOG", demo.folder + "/access.log"}};
  for (const DemoService& service : demo.services) {
    std::string key = service.name;
    for (char& c : key) c = static_cast<char>(c - 'a' + 'A');
    values.emplace(key, std::to_string(service.port));
  }
  auto config = fill_in(demo.demo_dir + "/gatehouse.yaml", values);
  if (!config) return tl::unexpected(std::move(config.error()));
  const passwd* user = user_to_become();
  if (user != nullptr) config->append(fmt::format("\nprocess: {{ user: {} }}\n", user->pw_name));
  std::ofstream(demo.config_file) << *config;
  if (auto compiled = compile_rules(demo.config_file, demo.folder + "/data"); !compiled) return compiled;
  return user != nullptr ? give_to(*user, demo.folder) : Status{};
}

int say(const Error& error) {
  std::fprintf(stderr, "gatehouse dev: %s\n", error.message.c_str());
  return 1;
}

// A process that waits for the gateway, tells it of the people, prints the text, and ends with the gateway. Start it
// before there are threads.
class Opener {
 public:
  static Result<Opener> start(const Prepared& demo) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return fail_errno("a pipe to the shop's opener");
    net::Fd reading(ends[0]);
    net::Fd writing(ends[1]);
    const pid_t gateway = getpid(), pid = fork();
    if (pid < 0) return fail_errno("starting the shop's opener");
    if (pid > 0) return Opener(std::move(writing), pid);
    writing.reset();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != gateway) _exit(1);  // it died before we asked
    std::signal(SIGINT, SIG_IGN);        // Ctrl-C is for the gateway
    _exit(open_shop(demo, gateway, reading.get()));
  }

  void gateway_is_ready() {
    if (write(line_.get(), "\n", 1) != 1) line_.reset();
  }
  // Its exit code.
  int stop() {
    line_.reset();
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
  }

 private:
  Opener(net::Fd line, pid_t pid) : line_(std::move(line)), pid_(pid) {}

  static int open_shop(const Prepared& demo, pid_t gateway, int line) {
    char byte = 0;
    if (read(line, &byte, 1) != 1) return 0;  // it did not start, and has said why
    const auto told = tell_demo_people(demo.admin(), demo.folder, demo.passwords);
    const auto link = told ? sign_in_link(demo.admin(), "administrator") : tl::unexpected(told.error());
    if (!link) {
      kill(gateway, SIGTERM);
      return say(link.error());
    }
    print_demo_text(
        {demo.demo_dir, demo.folder, demo.port, demo.services.back().port, demo.passwords, demo.program, *link});
    return read(line, &byte, 1) == 0 ? 0 : 1;
  }

  net::Fd line_;
  pid_t pid_;
};

}  // namespace

int run_dev(const DevOptions& options) {
  const auto demo_dir = find_demo(options.demo_dir);
  if (!demo_dir) return say(demo_dir.error());
  const auto python = find_python();
  if (!python) return say(python.error());

  const char* temporary = std::getenv("TMPDIR");
  std::string folder =
      fmt::format("{}/gatehouse-XXXXXX", temporary != nullptr && *temporary != '\0' ? temporary : "/tmp");
  if (mkdtemp(folder.data()) == nullptr) return say(fail_errno("making " + folder).value());  // mode 0700

  Prepared demo;
  demo.demo_dir = *demo_dir;
  demo.folder = folder;
  demo.config_file = folder + "/gatehouse.yaml";
  demo.port = free_port(options.port);
  demo.admin_port = free_port(kAdminPort);
  if (demo.port == 0 || demo.admin_port == 0)
    return say(fail(ErrorCode::unavailable, "no free port on the loopback address").value());
  demo.services = services_of(demo, *python);
  auto keeper = DemoKeeper::start(demo.services, folder);
  if (!keeper) return say(keeper.error());
  if (auto prepared = prepare(demo); !prepared) return say(prepared.error());

  std::error_code ignored;
  demo.program = fs::read_symlink("/proc/self/exe", ignored).string();
  auto opener = Opener::start(demo);
  if (!opener) return say(opener.error());
  RunOptions run;
  run.config_path = demo.config_file;
  run.on_ready = [&opener] { opener->gateway_is_ready(); };
  const int code = run_gateway(run), code_of_opener = opener->stop();
  return code != 0 ? code : code_of_opener;
}

}  // namespace gatehouse::app
