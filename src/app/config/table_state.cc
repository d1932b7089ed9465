// state
#include "app/config/scalars.h"
#include "app/config/table.h"
#include "store/postgresql_location.h"
#include "store/redis_location.h"

namespace gatehouse::app {
namespace {

using namespace gateway;

Kind<std::string> store_location() {
  return text_form<std::string>(
      {.title = "`sqlite` or postgresql://USER@HOST/NAME",
       .pattern = "^(sqlite|postgres(ql)?://.*)$",
       .parse = [](Reader&, std::string_view written, YamlPosition, std::string& into) -> Parsed {
         if (written != "sqlite") {
           if (!written.starts_with("postgresql://") && !written.starts_with("postgres://")) {
             return not_a_choice(written, {"sqlite", "postgresql://USER@HOST/NAME"});
           }
           const auto location = store::read_postgresql_location(written);
           if (!location) return Refusal{"not a location of PostgreSQL", location.error().message};
           if (!location->password.empty()) {
             return Refusal{"a password in the location would be shown with it",
                            "take it out, change it, and say store_password: ${file:path}"};
           }
         }
         return into = written, std::nullopt;
       },
       .format = [](const Writer&, const std::string& value) { return value; }});
}

Kind<std::string> counters() {
  return text_form<std::string>(
      {.title = "`memory`, redis://HOST:PORT/DATABASE, rediss://… or redis+unix:///PATH",
       .pattern = "^(memory|rediss?://.+|redis\\+unix:///.+)$",
       .parse = [](Reader&, std::string_view written, YamlPosition, std::string& into) -> Parsed {
         if (written == "memory") return into = written, std::nullopt;
         if (!written.starts_with("redis")) {
           return not_a_choice(
               written, {"memory", "redis://HOST:PORT/DATABASE", "rediss://HOST:PORT/DATABASE", "redis+unix:///PATH"});
         }
         // The message would show it; what is wrong with it is not its form.
         if (const auto at = written.rfind('@'); at != std::string_view::npos) {
           const auto user = written.substr(0, at).substr(std::min(written.find("//") + 2, at));
           if (user.find(':') != std::string_view::npos) {
             return Refusal{"a password in the location would be shown with it",
                            "take it out, change it, and say counters_password: ${file:path}"};
           }
         }
         if (const auto location = store::read_redis_location(written); !location)
           return Refusal{"not a location of Redis", location.error().message};
         return into = written, std::nullopt;
       },
       .format = [](const Writer&, const std::string& value) { return value; }});
}

}  // namespace

const Object& state_object() {
  static const Object object = Object::of<Config>(
      "state", "What is remembered between requests.",
      {
          key<&Config::store>("store", store_location(),
                              "What outlives the process: a file in data_dir, or a PostgreSQL that "
                              "several gateways share. Other machines are spoken to over verified TLS.",
                              {.restart = true}),
          key<&Config::store_password>("store_password", secret(), "Of the user that store names.",
                                       {.example = "${file:store.password}", .restart = true}),
          key<&Config::counters>("counters", counters(),
                                 "Where limits, penalties and bans are counted: here alone, or shared with every "
                                 "gateway that names the same Redis and has the same trust_domain. rediss:// is TLS "
                                 "(with ?ca=/FILE, authorities of one's own); USER@ in front of the host.",
                                 {.restart = true}),
          key<&Config::counters_password>("counters_password", secret(), "Of the Redis that counters names.",
                                          {.example = "${file:counters.password}", .restart = true}),
          key<&Config::rate_entries_max>("rate_entries", integer<std::uint32_t>(1024, 1 << 28),
                                         "Clients and keys that are counted at once; 16 bytes each.",
                                         {.restart = true}),
      });
  return object;
}

}  // namespace gatehouse::app
