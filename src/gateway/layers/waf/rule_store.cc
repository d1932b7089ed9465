#include "gateway/layers/waf/rule_store.h"

#include <algorithm>
#include <filesystem>
#include <thread>

#include "base/file.h"
#include "crypto/digest.h"
#include "telemetry/log.h"
#include "waf/engine/blind_rules.h"

namespace gatehouse::gateway {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kCacheName = "waf-rules-";
constexpr std::size_t kCachesKept = 3;  // a rollback finds its rules compiled

// What every rule set relies on and the Core Rule Set leaves to the server's own set-up (ModSecurity's recommended
// configuration has the same as 200002 to 200004): a body that could not be read was not inspected. They stand last, so
// that whatever the other rules found is known by then.
constexpr const char* kOwnRules = R"(
SecRule REQBODY_ERROR "!@eq 0" "id:5000001,phase:2,t:none,log,deny,status:400,severity:'CRITICAL',\
  msg:'The body is not what its media type says, or has more parts than are read',tag:'gatehouse'"
SecRule MULTIPART_STRICT_ERROR "!@eq 0" "id:5000002,phase:2,t:none,log,deny,status:400,severity:'CRITICAL',\
  msg:'The multipart body is malformed',tag:'gatehouse'"
SecRule MULTIPART_UNMATCHED_BOUNDARY "@eq 1" "id:5000003,phase:2,t:none,log,deny,status:400,severity:'CRITICAL',\
  msg:'The multipart body may have a boundary that was not recognised',tag:'gatehouse'"
)";

constexpr const char* kCoreRules = "/usr/share/modsecurity-crs/rules";

bool has_rules(const char* folder) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (entry.path().extension() == ".conf") return true;
  }
  return false;
}

bool lacks_core_rules(const WafConfig& config) {
  return std::find(config.rules.begin(), config.rules.end(), "crs") != config.rules.end() && !has_rules(kCoreRules);
}

std::string no_core_rules() {
  return fmt::format(
      "waf.rules: crs, the OWASP Core Rule Set, is not installed: there are no rules in {}; apt-get install "
      "modsecurity-crs, name rule files of your own under waf.rules, or switch inspection off with waf: off",
      kCoreRules);
}

waf::ParseResult read_rules(const WafConfig& config) {
  std::vector<waf::RuleSource> sources = waf::rule_sources(config.rules);
  sources.push_back({"the gateway's own rules", std::string(kOwnRules)});
  return waf::parse_rules(sources);
}

std::vector<std::string> lines_of(const std::vector<waf::Finding>& errors, const waf::RuleSet& rules, bool more) {
  std::vector<std::string> lines;
  for (const waf::Finding& error : errors) lines.push_back(to_string(error, rules));
  if (more) lines.emplace_back("there are more errors in the rules");
  return lines;
}

tl::unexpected<Error> refused(const std::vector<std::string>& lines) {
  std::string message;
  for (const std::string& line : lines) message.append(message.empty() ? "" : "\n").append(line);
  return fail(ErrorCode::invalid, std::move(message), ErrorSource::configuration);
}

// The compiled rules that are kept, the newest first.
std::vector<fs::directory_entry> caches_in(const std::string& folder) {
  std::error_code error;
  std::vector<fs::directory_entry> caches;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (entry.path().filename().string().starts_with(kCacheName)) caches.push_back(entry);
  }
  std::sort(caches.begin(), caches.end(),
            [&](const auto& a, const auto& b) { return a.last_write_time(error) > b.last_write_time(error); });
  return caches;
}

// Rules that are new here most often differ little from the last ones: what those compiled to serves again.
void begin_with_the_newest(const std::string& folder, const std::string& cache_file) {
  std::error_code error;
  if (fs::exists(cache_file, error)) return;
  if (const auto caches = caches_in(folder); !caches.empty()) fs::copy_file(caches.front().path(), cache_file, error);
}

// The newest stay; the time of a file that is used again is moved forward.
void remove_old_caches(const std::string& folder) {
  std::error_code error;
  const auto caches = caches_in(folder);
  for (std::size_t i = kCachesKept; i < caches.size(); ++i) fs::remove(caches[i].path(), error);
}

}  // namespace

bool wants_rules(const Config& config) noexcept {
  return std::any_of(config.routes.begin(), config.routes.end(),
                     [&](const RouteConfig& route) { return config.mode(telemetry::Layer::waf, &route) != Mode::off; });
}

RuleFindings examine_rules(const WafConfig& config) {
  if (lacks_core_rules(config)) return {{no_core_rules()}, {}};
  waf::ParseResult parsed = read_rules(config);
  if (!parsed.errors.empty()) return {lines_of(parsed.errors, parsed.rules, parsed.more_errors), {}};
  RuleFindings findings;
  findings.blind = lines_of(waf::blind_rules(parsed.rules), parsed.rules, false);
  const waf::Program::Compiled compiled = waf::Program::compile(std::move(parsed.rules));
  findings.errors = lines_of(compiled.errors, compiled.rules, false);
  return findings;
}

Result<std::shared_ptr<const waf::RuleEngine>> RuleStore::load(const Config& config) {
  if (!wants_rules(config)) return std::shared_ptr<const waf::RuleEngine>();
  if (lacks_core_rules(config.waf)) return refused({no_core_rules()});
  waf::ParseResult parsed = read_rules(config.waf);
  if (!parsed.errors.empty()) return refused(lines_of(parsed.errors, parsed.rules, parsed.more_errors));
  std::erase_if(known_, [](const Known& known) { return known.engine.expired(); });
  for (const Known& known : known_) {
    if (known.digest != parsed.digest) continue;
    if (auto engine = known.engine.lock()) return engine;
  }
  const std::string digest = parsed.digest;
  auto engine = compile(config, std::move(parsed));
  if (engine) known_.push_back({digest, *engine});
  return engine;
}

Result<std::shared_ptr<const waf::RuleEngine>> RuleStore::compile(const Config& config, waf::ParseResult parsed) {
  const auto began = std::chrono::steady_clock::now();
  const std::string name = crypto::to_hex(parsed.digest).substr(0, 16);
  waf::Program::Compiled compiled = waf::Program::compile(std::move(parsed.rules));
  if (!compiled.program) return refused(lines_of(compiled.errors, compiled.rules, false));
  const waf::RuleSet& rules = compiled.program->source();
  for (const std::string& line : lines_of(waf::blind_rules(rules), rules, false))
    GH_LOG(warn, "an inspection rule finds nothing", {"rule", line});
  waf::MatchPlan::BuildOptions options;
  options.threads = std::max(1u, std::thread::hardware_concurrency());
  options.progress = progress_;
  options.stop = stop_;
  if (!config.data_dir.empty()) {
    options.cache_file = fmt::format("{}/{}{}.hs", config.data_dir, kCacheName, name);
    begin_with_the_newest(config.data_dir, options.cache_file);
  }
  auto plan = waf::MatchPlan::build(*compiled.program, options);
  if (!plan) return tl::unexpected(std::move(plan.error()).while_("compiling waf.rules"));
  auto engine = std::make_shared<waf::RuleEngine>();
  engine->program = std::move(compiled.program);
  engine->plan = std::move(*plan);
  if (!options.cache_file.empty()) {
    std::error_code ignored;
    fs::last_write_time(options.cache_file, fs::file_time_type::clock::now(), ignored);
    remove_old_caches(config.data_dir);
  }
  const waf::MatchPlan::Statistics& statistics = engine->plan->statistics();
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began);
  GH_LOG(info, "inspection rules loaded", {"rules", engine->program->rules().size()}, {"patterns", statistics.patterns},
         {"compiled", !statistics.from_cache}, {"ms", took.count()});
  return std::shared_ptr<const waf::RuleEngine>(std::move(engine));
}

}  // namespace gatehouse::gateway
