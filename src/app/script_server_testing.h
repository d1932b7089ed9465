#pragma once
// A server in Python under tests/data, ended with this object, and a certificate for it: for tests.

#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/temp_dir.h"

extern char** environ;  // NOLINT: POSIX

namespace gatehouse::app {

class ScriptServer {
 public:
  // The script writes its port first, then whatever the test reads.
  ScriptServer(const std::string& script, const std::vector<std::string>& arguments) {
    int out[2];
    EXPECT_EQ(::pipe(out), 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    posix_spawn_file_actions_addclose(&actions, out[0]);
    std::vector<std::string> words{"/usr/bin/python3", GATEHOUSE_SOURCE_DIR "/tests/data/" + script};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    EXPECT_EQ(::posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    ::close(out[1]);
    out_ = ::fdopen(out[0], "r");
    port_ = line();
  }
  ~ScriptServer() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    ::fclose(out_);
  }
  ScriptServer(const ScriptServer&) = delete;
  ScriptServer& operator=(const ScriptServer&) = delete;

  std::string address(const std::string& host = "127.0.0.1") const { return host + ":" + port_; }
  std::string line() {
    char buffer[16 * 1024];
    if (::fgets(buffer, sizeof buffer, out_) == nullptr) return {};
    std::string text(buffer);
    if (!text.empty() && text.back() == '\n') text.pop_back();
    return text;
  }

 private:
  pid_t pid_ = -1;
  FILE* out_ = nullptr;
  std::string port_;
};

// A certificate for `name` with its key, in one file.
inline std::string certificate(const TempDir& folder, const std::string& name) {
  const std::string pem = folder / (name + ".pem");
  const std::string command =
      "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=" + name +
      " -addext subjectAltName=DNS:" + name + " -keyout " + pem + ".key -out " + pem + ".crt 2>/dev/null && cat " +
      pem + ".key " + pem + ".crt > " + pem;
  EXPECT_EQ(std::system(command.c_str()), 0);
  return pem;
}

}  // namespace gatehouse::app
