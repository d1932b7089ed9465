#pragma once
// A PostgreSQL cluster of a test's own: in a temporary folder, reached over a Unix socket in it, run by an unprivileged
// user (it refuses to be root), gone with the object or with the process.

#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/check.h"
#include "base/file.h"
#include "base/temp_dir.h"
#include "store/database.h"

namespace gatehouse::store {

class PostgresqlCluster {
 public:
  // Null when PostgreSQL is not installed here.
  static std::unique_ptr<PostgresqlCluster> start(std::vector<std::string> settings = {}) {
    const std::string programs = programs_folder();
    if (programs.empty()) return nullptr;
    std::unique_ptr<PostgresqlCluster> cluster(new PostgresqlCluster(programs, std::move(settings)));
    cluster->run_to_end({programs + "/initdb", "-D", cluster->data(), "-U", "gatehouse", "-A", "trust", "--no-sync",
                         "-E", "UTF8", "--locale=C.UTF-8"});
    cluster->start_server();
    return cluster;
  }
  ~PostgresqlCluster() { stop(SIGINT); }

  // "postgresql:///NAME?…", over the socket.
  std::string location(std::string_view name = "postgres") const {
    return "postgresql://gatehouse@/" + std::string(name) + "?host=" + folder_.path() +
           "&port=" + std::to_string(port_);
  }
  std::string data() const { return folder_ / "data"; }
  pid_t pid() const noexcept { return server_; }
  uid_t user() const noexcept { return user_; }
  gid_t group() const noexcept { return group_; }

  // From here on it listens on 127.0.0.1, too, over TLS alone and with passwords: `certificate` and `key` are PEM
  // files.
  void serve_tls(const std::string& certificate, const std::string& key) {
    stop(SIGINT);
    for (const auto& [from, name] : {std::pair{certificate, "server.crt"}, std::pair{key, "server.key"}}) {
      const std::string to = data() + "/" + name;
      std::filesystem::copy_file(from, to);
      GH_CHECK(::chmod(to.c_str(), 0600) == 0 && ::chown(to.c_str(), user_, group_) == 0);
    }
    GH_CHECK(
        write_file_atomically(data() + "/pg_hba.conf", "local all all trust\nhostssl all all all scram-sha-256\n"));
    port_ = free_port();
    settings_.insert(settings_.end(), {"ssl=on", "listen_addresses=127.0.0.1", "port=" + std::to_string(port_)});
    start_server();
  }
  std::uint16_t port() const noexcept { return port_; }

  // Returns once it answers.
  void start_server() {
    std::vector<std::string> command{programs_ + "/postgres", "-D", data(), "-k", folder_.path()};
    for (const std::string setting : {"listen_addresses=", "fsync=off", "max_connections=60", "shared_buffers=32MB"}) {
      command.insert(command.end(), {"-c", setting});
    }
    for (const std::string& setting : settings_) command.insert(command.end(), {"-c", setting});
    server_ = spawn(command, folder_ / "server.log");
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!answers()) {
      GH_CHECK(std::chrono::steady_clock::now() < deadline);
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }

  // SIGINT: at once, in order. SIGQUIT: as if the power had failed. Returns once it is gone.
  void stop(int signal) {
    if (server_ <= 0) return;
    ::kill(server_, signal);
    ::waitpid(server_, nullptr, 0);
    server_ = -1;
  }

  // An empty database of its own.
  std::string make_database() {
    const std::string name = "test" + std::to_string(++databases_);
    const auto database = open_database({.location = location()});
    GH_CHECK(database && (*database)->run("CREATE DATABASE " + name, {}));
    return name;
  }

 private:
  PostgresqlCluster(std::string programs, std::vector<std::string> settings)
      : programs_(std::move(programs)), settings_(std::move(settings)) {
    user_ = ::geteuid(), group_ = ::getegid();
    if (user_ != 0) return;
    const passwd* account = ::getpwnam("postgres");
    if (!account) account = ::getpwnam("nobody");
    GH_CHECK(account != nullptr);
    user_ = account->pw_uid, group_ = account->pw_gid;
    GH_CHECK(::chown(folder_.path().c_str(), user_, group_) == 0);
  }

  static std::uint16_t free_port() {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    socklen_t size = sizeof address;
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* raw = reinterpret_cast<sockaddr*>(&address);
    GH_CHECK(::bind(fd, raw, size) == 0 && ::getsockname(fd, raw, &size) == 0);
    ::close(fd);
    return ntohs(address.sin_port);
  }

  static std::string programs_folder() {
    std::string newest;
    std::error_code none;
    for (const auto& version : std::filesystem::directory_iterator("/usr/lib/postgresql", none)) {
      const std::string folder = version.path().string() + "/bin";
      if (::access((folder + "/initdb").c_str(), X_OK) == 0) newest = std::max(newest, folder);
    }
    return newest;
  }

  pid_t spawn(const std::vector<std::string>& command, const std::string& output) const {
    std::vector<char*> arguments;
    for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    const pid_t child = ::fork();
    GH_CHECK(child >= 0);
    if (child > 0) return child;
    const int log = ::open(output.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
    ::dup2(log, 1), ::dup2(log, 2);
    if (::geteuid() == 0 && (::setgroups(0, nullptr) != 0 || ::setgid(group_) != 0 || ::setuid(user_) != 0))
      ::_exit(126);
    ::prctl(PR_SET_PDEATHSIG, SIGINT);
    if (::chdir(folder_.path().c_str()) != 0) ::_exit(126);
    ::execv(arguments[0], arguments.data());
    ::_exit(127);
  }
  void run_to_end(const std::vector<std::string>& command) const {
    int status = 0;
    ::waitpid(spawn(command, folder_ / "initdb.log"), &status, 0);
    GH_CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
  bool answers() const {
    const auto database = open_database({.location = location(), .connections = 1});
    return database && (*database)->reachable();
  }

  std::string programs_;
  std::vector<std::string> settings_;
  TempDir folder_;
  uid_t user_;
  gid_t group_;
  pid_t server_ = -1;
  int databases_ = 0;
  std::uint16_t port_ = 5432;  // names the socket's file; nothing listens there
};

}  // namespace gatehouse::store
