#pragma once
// Which files the process will be able to read once it has given up root: a reload reads certificates and keys again,
// as whoever the process has become by then.

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "gateway/config.h"

namespace gatehouse::app {

// Somebody who reads files, by name.
struct FileUser {
  std::string name, group;  // of the first group
  uid_t uid = 0;
  std::vector<gid_t> groups;
};
std::optional<FileUser> file_user(const std::string& name);
FileUser own_file_user();  // who this process is now

// The first part of the path that `user` may not pass or read, by owner, group and mode (access control lists are not
// looked at); nothing when it may, and when there is no such file.
std::optional<std::string> obstacle(const FileUser& user, const std::string& path);
// "chgrp gatehouse /etc/site.key && chmod g+r /etc/site.key"
std::string remedy(const FileUser& user, const std::string& obstacle);

struct NeededFile {
  std::string path;
  std::string key;  // in the configuration, as `locate` takes it: "listeners/0/tls/certificates/0/key"
};
// What a reload reads besides the configuration file itself; the file itself comes last.
std::vector<NeededFile> files_of(const gateway::Config& config);

// "a reload will not be able to read /etc/site.key as \"gatehouse\"": for each file that is in the way, with its
// remedy.
struct Unreadable {
  NeededFile file;
  std::string message, remedy;
};
std::vector<Unreadable> unreadable_files(const gateway::Config& config, const FileUser& user);

// The remedy for a file that this process may not read just now; empty when that isn't what is wrong.
std::string remedy_for(const std::string& path);

}  // namespace gatehouse::app
