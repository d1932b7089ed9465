// gatehouse keys rotate --root
//
// The order of the steps is what makes a crash harmless: the new root key is durable, then both open the store, then
// the new one takes the place of the old one, which is kept for the backups of its time, then the old one is out.

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "app/commands/admin_output.h"
#include "app/commands/keys.h"
#include "app/config/load.h"
#include "app/config/store_options.h"
#include "base/file.h"
#include "codec/json_writer.h"
#include "identity/audit.h"
#include "identity/schema.h"
#include "secrets/root_key.h"
#include "secrets/root_rotation.h"
#include "telemetry/log.h"

namespace gatehouse::app {
namespace {

using secrets::RootKeySource;

constexpr std::size_t kSecretBytesMax = 64 * 1024;

struct Rotation {
  RootKeySource now;
  store::Database& database;
  bool at_once = true;  // the one gateway that has this store reads the root key's file again, if it runs
};

struct Outcome {
  bool finished = false;
  std::string kept;  // where the file of before is
};

tl::unexpected<Error> mistake(std::string message) {
  return fail(ErrorCode::invalid, std::move(message), ErrorSource::configuration);
}

bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

bool same_file(const std::string& one, const std::string& other) {
  struct stat a {
  }, b{};
  return ::stat(one.c_str(), &a) == 0 && ::stat(other.c_str(), &b) == 0 && a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

// A gateway that has given up root reads its own user's files only; that user is whose the store is.
bool same_owner(const std::string& one, const std::string& other) {
  struct stat a {
  }, b{};
  return ::stat(one.c_str(), &a) == 0 && ::stat(other.c_str(), &b) == 0 && a.st_uid == b.st_uid;
}

// Under another name as well: its backups need it.
Result<std::string> keep_old(const std::string& path) {
  for (int number = 1; number < 1000; ++number) {
    std::string name = fmt::format("{}.{}", path, number);
    if (same_file(path, name) || ::link(path.c_str(), name.c_str()) == 0) return name;
    if (errno != EEXIST) return fail_errno(name);
  }
  return fail(ErrorCode::exhausted, fmt::format("there are a thousand old root keys beside {}", path));
}

// The gateway's own user has to read it, as it reads the one before.
Status make_next(const std::string& path, const std::string& next) {
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0) return fail_errno(path);
  if (auto made = secrets::make_root_key_file(next); !made) return made;
  if (::geteuid() == 0 && ::chown(next.c_str(), facts.st_uid, facts.st_gid) != 0) return fail_errno(next);
  return {};
}

Result<Outcome> rotate_file(const Rotation& rotation) {
  const std::string& path = rotation.now.path;
  const std::string next = path + ".new";
  // One that is there already is of a rotation that was interrupted, and goes on with it.
  if (!exists(next)) {
    auto roots = secrets::root_keys(rotation.database);
    if (!roots) return tl::unexpected(roots.error());
    if (roots->size() > 1)
      return fail(ErrorCode::conflict,
                  "two root keys open this store: end that rotation with gatehouse keys rotate --root --finish");
    if (auto made = make_next(path, next); !made) return tl::unexpected(made.error());
  }
  const RootKeySource with_next{RootKeySource::Kind::file, next, {}};
  if (auto added = secrets::add_root(rotation.database, rotation.now, with_next, SystemClock::instance()); !added)
    return tl::unexpected(added.error());
  auto before = read_file(path, kSecretBytesMax), after = read_file(next, kSecretBytesMax);
  if (!before || !after) return tl::unexpected(before ? after.error() : before.error());
  Outcome outcome;
  Status replaced;
  if (*before != *after) {
    auto kept = keep_old(path);
    if (!kept) return tl::unexpected(kept.error());
    outcome.kept = std::move(*kept);
    replaced = replace_file(path, *after, 0600);
  }
  explicit_bzero(before->data(), before->size());
  explicit_bzero(after->data(), after->size());
  if (!replaced) return tl::unexpected(replaced.error());
  ::unlink(next.c_str());
  if (!rotation.at_once) return outcome;
  auto finished = secrets::remove_other_roots(rotation.database, rotation.now);
  if (!finished) return tl::unexpected(finished.error());
  outcome.finished = true;
  return outcome;
}

Result<RootKeySource> given_root(const RootRotationOptions& options) {
  const bool passphrase = !options.new_passphrase_file.empty();
  const std::string& file = passphrase ? options.new_passphrase_file : options.new_key_file;
  auto text = read_file(file == "-" ? "/dev/stdin" : file, kSecretBytesMax);
  if (!text) return tl::unexpected(text.error());
  // As ${file:…} reads it.
  while (text->ends_with('\n') || text->ends_with('\r')) text->pop_back();
  RootKeySource given{
      passphrase ? RootKeySource::Kind::passphrase : RootKeySource::Kind::environment, {}, SecretBytes(*text)};
  explicit_bzero(text->data(), text->size());
  if (auto good = secrets::check_form(given); !good) return mistake(fmt::format("{}: {}", file, good.error().message));
  return given;
}

Result<Outcome> rotate(const Rotation& rotation, const RootRotationOptions& options) {
  if (options.finish) {
    auto removed = secrets::remove_other_roots(rotation.database, rotation.now);
    if (!removed) return tl::unexpected(removed.error());
    return Outcome{true, {}};
  }
  if (options.new_key_file.empty() && options.new_passphrase_file.empty()) {
    if (rotation.now.kind == RootKeySource::Kind::file) return rotate_file(rotation);
    return mistake(
        fmt::format("{} is yours to make: name a file with the new one, --new-key FILE or --new-passphrase FILE",
                    name_of(rotation.now)));
  }
  auto given = given_root(options);
  if (!given) return tl::unexpected(given.error());
  if (auto added = secrets::add_root(rotation.database, rotation.now, *given, SystemClock::instance()); !added)
    return tl::unexpected(added.error());
  return Outcome{};
}

void tell(const Outcome& outcome, const Rotation& rotation, const RootRotationOptions& options) {
  const std::string name = name_of(rotation.now);
  if (options.json) {
    std::string out;
    codec::JsonWriter json(out);
    json.raw("{\"root_key\":");
    json.string(name);
    json.raw(outcome.finished ? ",\"finished\":true" : ",\"finished\":false");
    if (!outcome.kept.empty()) {
      json.raw(",\"kept\":");
      json.string(outcome.kept);
    }
    json.raw("}\n");
    json.flush();
    return print(out);
  }
  PrintedText text(in_colour());
  if (!outcome.kept.empty()) {
    text.literal("the new root key is ").add(name).literal(": make a copy\n");
    text.literal("the one before is ").add(outcome.kept);
    text.literal(": it opens the backups of its time; put it where they cannot be found, or remove it with them\n");
  }
  if (outcome.finished) {
    text.good("rotated").literal(": ").add(name).literal(" alone opens the store from now on\n");
  } else {
    text.literal(
        "both root keys open the store now. Give the new one to every gateway and restart them one after the\n");
    text.literal("other, then end the old one: gatehouse keys rotate --root --finish\n");
  }
  text.print_out();
}

}  // namespace

int run_root_rotation(const RootRotationOptions& options) {
  const LoadOutcome loaded = load_config(options.config_path);
  if (!loaded.ok())
    return complain(fmt::format("{} has mistakes: see gatehouse check -c {}", options.config_path, options.config_path),
                    kRefused);
  telemetry::Log::instance().set_level(telemetry::LogLevel::warn);  // what is done is told in words
  const gateway::Config& config = *loaded.config;
  const store::DatabaseOptions store = store_options(config);
  const std::string sqlite = config.store == "sqlite" ? config.data_dir + "/gatehouse.db" : std::string();
  if (!sqlite.empty() && !exists(sqlite))
    return complain(fmt::format("{} is not there: start the gateway once", sqlite));
  auto database = store::open_database(store);
  if (!database) return complain(database.error().message);
  RootKeySource source = root_key_source(config.secrets, config.data_dir);
  const bool at_once = !sqlite.empty() && same_owner(source.path, sqlite);
  const Rotation rotation{std::move(source), **database, at_once};
  // Before anything else: without a keyring, or with another root key than the store's, there is nothing to be done.
  if (auto known = secrets::find_root(**database, rotation.now); !known) return complain(known.error().message);
  auto keyring = secrets::Keyring::open(**database, rotation.now);
  if (!keyring) return complain(keyring.error().message);
  auto outcome = rotate(rotation, options);
  identity::AuditTrail audit(**database, **keyring, SystemClock::instance());
  if ((*database)->migrate(identity::kProduct, identity::migrations()))
    audit.record(fmt::format("admin:uid={}", ::getuid()), options.finish ? "root_key.finish" : "root_key.rotate", "",
                 outcome ? identity::Outcome::ok : identity::Outcome::refused);
  if (!outcome)
    return complain(outcome.error().message, outcome.error().source == ErrorSource::configuration ? kRefused : kFailed);
  tell(*outcome, rotation, options);
  return kDone;
}

}  // namespace gatehouse::app
