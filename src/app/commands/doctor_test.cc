#include "app/commands/doctor.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "base/temp_dir.h"
#include "net/socket.h"

namespace gatehouse::app {
namespace {

using State = Examination::State;

// A listening socket on a free port of the loopback address.
struct Listening {
  Listening() : fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    EXPECT_EQ(bind(fd.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
    EXPECT_EQ(listen(fd.get(), 4), 0);
    EXPECT_EQ(getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &length), 0);
    port = ntohs(address.sin_port);
  }
  net::Fd fd;
  unsigned port = 0;
};

std::vector<Examination> examine_text(const std::string& text) {
  LoadOptions options;
  options.base_dir = std::filesystem::temp_directory_path().string();
  static const SystemClock clock;
  return examine(load_config_text(text, "gatehouse.yaml", options), {}, clock);
}

std::map<std::string, State> states(const std::vector<Examination>& examinations) {
  std::map<std::string, State> found;
  for (const Examination& e : examinations) {
    found[e.group + ": " + e.name] = e.state;
    EXPECT_TRUE(e.state == State::good || e.state == State::skipped || !e.fix.empty())
        << e.name << " says how to mend it";
  }
  return found;
}

TEST(Doctor, GoodAndBad) {
  const Listening taken, service;
  const auto found = states(examine_text(fmt::format(
      "version: 1\ndata_dir: /dev/null/gatehouse\nlisteners:\n  - {{ name: free, address: 127.0.0.1:0 }}\n  - {{ name: "
      "taken, address: 127.0.0.1:{} }}\n"
      "  - {{ name: elsewhere, address: 192.0.2.1:0 }}\n  - {{ name: socket, address: \"unix:/nowhere/x.sock\" }}\n"
      "services: {{ up: {{ endpoints: http://127.0.0.1:{} }}, down: {{ endpoints: \"unix:/nowhere/y.sock\" }} "
      "}}\nroutes: []\n",
      taken.port, service.port)));
  EXPECT_EQ(found.at("configuration: valid"), State::good);
  EXPECT_EQ(found.at("ports: listener free"), State::good);
  EXPECT_EQ(found.at("ports: listener taken"), State::bad);
  EXPECT_EQ(found.at("ports: listener elsewhere"), State::bad);
  EXPECT_EQ(found.at("ports: listener socket"), State::bad);
  EXPECT_EQ(found.at(fmt::format("upstreams: up http://127.0.0.1:{}", service.port)), State::good);
  EXPECT_EQ(found.at("upstreams: down unix:/nowhere/y.sock"), State::bad);
  EXPECT_EQ(found.at("files: data_dir"), State::bad);
  EXPECT_TRUE(found.contains("system: seccomp"));
}

TEST(Doctor, TheRootKey) {
  const TempDir folder;
  const std::string data = folder / "data", key = data + "/root.key";
  const auto examine = [&](std::string_view secrets) {
    for (const Examination& one :
         examine_text(fmt::format("version: 1\ndata_dir: {}\nlisteners: [{{ name: public, address: 127.0.0.1:0 }}]\n"
                                  "identity: {{ issuer: https://login.shop.example }}\n{}\n",
                                  data, secrets))) {
      if (one.name == "root key") return std::pair(one.state, one.detail + one.fix);
    }
    return std::pair(State::skipped, std::string());
  };
  std::filesystem::create_directory(data);
  EXPECT_EQ(examine("").first, State::good) << "the first start makes it";
  std::ofstream(data + "/gatehouse.db") << "a store";
  EXPECT_EQ(examine("").first, State::bad);
  EXPECT_THAT(examine("").second, testing::HasSubstr("put it back"));
  EXPECT_EQ(examine("secrets: { passphrase: twelve or more letters }").first, State::good) << "needs no file";
  std::ofstream(key) << "a key";
  std::filesystem::permissions(key, std::filesystem::perms(0640));
  EXPECT_THAT(examine("").second, testing::HasSubstr("chmod 600 " + key));
  std::filesystem::permissions(key, std::filesystem::perms(0600));
  EXPECT_EQ(examine("").first, State::good);
}

TEST(Doctor, InvalidConfiguration) {
  const auto examinations = examine_text("version: 1\n");
  const auto found = states(examinations);
  EXPECT_EQ(found.at("configuration: valid"), State::bad);
  EXPECT_TRUE(found.contains("system: clock")) << "what doesn't need the file is looked at";
  EXPECT_FALSE(found.contains("files: data_dir"));
  EXPECT_EQ(nlohmann::json::parse(to_json(examinations)).size(), examinations.size());
  EXPECT_THAT(to_text(examinations, false), testing::HasSubstr("fix: gatehouse check -c gatehouse.yaml"));
}

}  // namespace
}  // namespace gatehouse::app
