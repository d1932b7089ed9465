#include "app/process/readable.h"

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>

namespace gatehouse::app {
namespace {

std::string group_name(gid_t gid) {
  const group* entry = ::getgrgid(gid);  // NOLINT(concurrency-mt-unsafe): control threads, at start and in reloads
  return entry != nullptr ? entry->gr_name : std::to_string(gid);
}

bool allowed(const FileUser& user, const struct stat& info, unsigned bit) {  // 4: read, 1: pass
  if (user.uid == 0) return true;
  if (info.st_uid == user.uid) return (info.st_mode & bit << 6) != 0;
  if (std::find(user.groups.begin(), user.groups.end(), info.st_gid) != user.groups.end())
    return (info.st_mode & bit << 3) != 0;
  return (info.st_mode & bit) != 0;
}

}  // namespace

std::optional<FileUser> file_user(const std::string& name) {
  const passwd* entry = ::getpwnam(name.c_str());  // NOLINT(concurrency-mt-unsafe): as above
  if (entry == nullptr) return std::nullopt;
  FileUser user{name, group_name(entry->pw_gid), entry->pw_uid, {}};
  int count = 64;
  user.groups.resize(static_cast<std::size_t>(count));
  if (::getgrouplist(name.c_str(), entry->pw_gid, user.groups.data(), &count) < 0) {
    user.groups.resize(static_cast<std::size_t>(count));
    ::getgrouplist(name.c_str(), entry->pw_gid, user.groups.data(), &count);
  }
  user.groups.resize(static_cast<std::size_t>(count));
  return user;
}

FileUser own_file_user() {
  const passwd* entry = ::getpwuid(::geteuid());  // NOLINT(concurrency-mt-unsafe): as above
  FileUser user{
      entry != nullptr ? entry->pw_name : std::to_string(::geteuid()), group_name(::getegid()), ::geteuid(), {}};
  user.groups.resize(NGROUPS_MAX);
  const int count = ::getgroups(NGROUPS_MAX, user.groups.data());
  user.groups.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
  user.groups.push_back(::getegid());
  return user;
}

std::optional<std::string> obstacle(const FileUser& user, const std::string& path) {
  if (path.empty()) return std::nullopt;
  char* const real = ::realpath(path.c_str(), nullptr);
  const std::string whole = real != nullptr ? real : path;
  ::free(real);
  for (std::size_t at = whole.find('/', 1); at != std::string::npos; at = whole.find('/', at + 1)) {
    struct stat info {};
    const std::string folder = whole.substr(0, at);
    if (::stat(folder.c_str(), &info) != 0) return std::nullopt;
    if (!allowed(user, info, 1)) return folder;
  }
  struct stat info {};
  if (::stat(whole.c_str(), &info) != 0 || allowed(user, info, 4)) return std::nullopt;
  return whole;
}

std::string remedy(const FileUser& user, const std::string& obstacle) {
  struct stat info {};
  const bool folder = ::stat(obstacle.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
  return fmt::format("chgrp {} {} && chmod {} {}", user.group, obstacle, folder ? "g+x" : "0640", obstacle);
}

std::vector<NeededFile> files_of(const gateway::Config& config) {
  std::vector<NeededFile> files;
  const auto add = [&](const std::string& path, std::string key) {
    if (!path.empty()) files.push_back({path, std::move(key)});
  };
  for (std::size_t i = 0; i < config.listeners.size(); ++i) {
    if (!config.listeners[i].tls) continue;
    const gateway::ListenerTls& tls = *config.listeners[i].tls;
    const std::string here = fmt::format("listeners/{}/tls", i);
    for (std::size_t j = 0; j < tls.certificates.size(); ++j) {
      const std::string one = fmt::format("{}/certificates/{}", here, j);
      add(tls.certificates[j].cert, one + "/cert");
      add(tls.certificates[j].key, one + "/key");
      add(tls.certificates[j].ocsp, one + "/ocsp");
    }
    add(tls.client_ca, here + "/client_ca");
  }
  for (const gateway::ServiceConfig& service : config.services) {
    const std::string here = fmt::format("services/{}/tls", service.name);
    add(service.tls.ca, here + "/ca");
    add(service.tls.client_cert, here + "/client_cert");
    add(service.tls.client_key, here + "/client_key");
  }
  for (std::size_t i = 0; i < config.authentication.jwt.size(); ++i) {
    const std::string& source = config.authentication.jwt[i].jwks;
    if (source.find("://") == std::string::npos) add(source, fmt::format("authentication/jwt/{}/jwks", i));
  }
  for (std::size_t i = 0; config.identity && i < config.identity->federation.size(); ++i)
    add(config.identity->federation[i].ca, fmt::format("identity/federation/{}/ca", i));
  for (std::size_t i = 0; i < config.routes.size(); ++i) {
    if (config.routes[i].openapi) add(config.routes[i].openapi->document, fmt::format("routes/{}/openapi/document", i));
  }
  if (config.authentication.api_keys) add(config.authentication.api_keys->file, "authentication/api_keys/file");
  add(config.file, "");
  return files;
}

std::vector<Unreadable> unreadable_files(const gateway::Config& config, const FileUser& user) {
  std::vector<Unreadable> found;
  for (NeededFile& file : files_of(config)) {
    const auto in_the_way = obstacle(user, file.path);
    if (!in_the_way) continue;
    std::string message = fmt::format("a reload will not be able to read {} as \"{}\"", file.path, user.name);
    if (*in_the_way != file.path) message += fmt::format(": {} is in the way", *in_the_way);
    found.push_back({std::move(file), std::move(message), remedy(user, *in_the_way)});
  }
  return found;
}

std::string remedy_for(const std::string& path) {
  if (::access(path.c_str(), R_OK) == 0 || errno != EACCES) return {};
  const FileUser user = own_file_user();
  const auto in_the_way = obstacle(user, path);
  return in_the_way ? fmt::format("as root: {}", remedy(user, *in_the_way)) : std::string();
}

}  // namespace gatehouse::app
