#include "app/jwks_fetcher.h"

#include <algorithm>

#include "telemetry/log.h"

namespace gatehouse::app {
namespace {

using namespace std::chrono_literals;

constexpr Duration kFilePoll = 2s;
constexpr Duration kWantedPoll = 1s;  // how soon an unknown key id is noticed
constexpr Duration kWantedPause = 10s;
constexpr Duration kFirstPause = 1s;
constexpr Duration kPauseMax = 5min;
constexpr Duration kMaxAgeMax = 24h;
constexpr Duration kMaxAgeMin = 60s;  // a source that forbids caching is still asked once a minute only

void log_failure(std::string_view name, std::string_view source, const Error& error) {
  GH_LOG(warn, "keys not refreshed", {"issuer", name}, {"source", source}, {"error", error.message});
}

}  // namespace

bool JwksFetcher::is_url(const std::string& source) {
  return source.starts_with("https://") || source.starts_with("http://");
}

JwksFetcher::JwksFetcher(const Clock& clock, Fetch fetch, Thread thread, Listener listener)
    : clock_(clock), fetch_(std::move(fetch)), listener_(std::move(listener)) {
  if (thread == Thread::own) thread_ = std::thread([this] { run(); });
}

JwksFetcher::~JwksFetcher() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

Result<gateway::KeySource> JwksFetcher::keys_for(const std::vector<gateway::JwtIssuerConfig>& issuers) {
  const std::unique_lock lock(mutex_);
  gateway::KeySource source;
  std::vector<std::shared_ptr<IssuerJob>> fresh;
  for (const gateway::JwtIssuerConfig& issuer : issuers) {
    std::string identity = issuer.jwks;
    for (const std::string& algorithm : issuer.algorithms) identity += " " + algorithm;
    const auto known = std::find_if(issuers_.begin(), issuers_.end(),
                                    [&](const auto& job) { return job->identity == identity && !job->keys.expired(); });
    if (known != issuers_.end()) {
      IssuerJob& job = **known;
      job.refresh = issuer.refresh;
      if (!is_url(job.source)) {
        if (Status loaded = load_file(job); !loaded) return tl::unexpected(std::move(loaded.error()));
      }
      source.push_back(job.keys.lock());
      continue;
    }
    auto keys = std::make_shared<gateway::IssuerKeys>();
    auto job = std::make_shared<IssuerJob>();
    job->source = issuer.jwks;
    job->name = issuer.name;
    job->algorithms = gateway::algorithms_of(issuer);
    job->identity = std::move(identity);
    job->keys = keys;
    job->refresh = issuer.refresh;
    job->next = clock_.now();
    if (!is_url(job->source)) {
      if (Status loaded = load_file(*job); !loaded) return tl::unexpected(std::move(loaded.error()));
    }
    source.push_back(std::move(keys));
    fresh.push_back(std::move(job));
  }
  issuers_.insert(issuers_.end(), fresh.begin(), fresh.end());
  changed_.notify_all();
  return source;
}

Result<std::shared_ptr<gateway::ApiKeySource>> JwksFetcher::api_keys_for(const std::string& file) {
  const std::unique_lock lock(mutex_);
  const FileStamp stamp = stamp_of(file);  // before reading: a change in between is read once more
  auto keys = gateway::ApiKeySet::load(file);
  if (!keys) return tl::unexpected(std::move(keys.error()));
  const auto known = std::find_if(files_.begin(), files_.end(),
                                  [&](const FileJob& job) { return job.file == file && !job.keys.expired(); });
  if (known != files_.end()) {
    auto source = known->keys.lock();
    source->publish(std::move(*keys));
    known->stamp = stamp;
    return source;
  }
  auto source = std::make_shared<gateway::ApiKeySource>();
  source->publish(std::move(*keys));
  files_.push_back({.file = file, .keys = source, .stamp = stamp, .next = clock_.now() + kFilePoll});
  changed_.notify_all();
  return source;
}

Status JwksFetcher::load_file(IssuerJob& job) {
  const FileStamp stamp = stamp_of(job.source);
  job.next = clock_.now() + kFilePoll;
  if (job.attempted && stamp == job.stamp && !(stamp == FileStamp{})) return {};
  job.attempted = true;
  job.stamp = stamp;
  auto text = read_file(job.source, crypto::KeySet::kBytesMax);
  if (!text) return tell(job, false), tl::unexpected(std::move(text.error()));
  auto set = crypto::KeySet::parse(*text, job.algorithms);
  tell(job, set.has_value());
  if (!set) return tl::unexpected(std::move(set.error()).while_(job.source));
  if (const auto keys = job.keys.lock()) keys->publish(std::move(*set));
  return {};
}

void JwksFetcher::refresh_file(IssuerJob& job) {
  if (const auto keys = job.keys.lock()) keys->take_wanted();  // a file says by itself when it changes
  if (Status loaded = load_file(job); !loaded) log_failure(job.name, job.source, loaded.error());
}

void JwksFetcher::tell(const IssuerJob& job, bool good) const {
  if (listener_) listener_(job.name, good);
}

void JwksFetcher::refresh_api_keys(FileJob& job) {
  job.next = clock_.now() + kFilePoll;
  const FileStamp stamp = stamp_of(job.file);
  if (stamp == job.stamp) return;
  job.stamp = stamp;
  auto keys = gateway::ApiKeySet::load(job.file);
  if (!keys) {
    log_failure("API keys", job.file, keys.error());
  } else if (const auto source = job.keys.lock()) {
    source->publish(std::move(*keys));
  }
}

void JwksFetcher::refresh_url(std::size_t index, std::unique_lock<std::mutex>& lock) {
  const std::shared_ptr<IssuerJob> job = issuers_[index];
  const auto keys = job->keys.lock();
  if (!keys) return;
  keys->take_wanted();
  job->attempted = true;
  job->last_attempt = clock_.now();
  lock.unlock();
  auto document = fetch_(job->source);
  Result<crypto::KeySet> set = document ? crypto::KeySet::parse(document->text, job->algorithms)
                                        : Result<crypto::KeySet>(tl::unexpected(document.error()));
  lock.lock();
  tell(*job, set.has_value());
  if (!set) {
    job->pause = job->pause == Duration::zero() ? kFirstPause : std::min(job->pause * 2, kPauseMax);
    job->next = clock_.now() + job->pause;
    log_failure(job->name, job->source, set.error());
    return;
  }
  for (const std::string& skipped : set->skipped()) {
    GH_LOG(debug, "key skipped", {"issuer", job->name}, {"why", skipped});
  }
  job->pause = Duration::zero();
  Duration wait = job->refresh;
  if (document->max_age) {
    wait = std::clamp<Duration>(*document->max_age, std::min(job->refresh, kMaxAgeMin), kMaxAgeMax);
  }
  job->next = clock_.now() + wait;
  keys->publish(std::move(*set));
}

bool JwksFetcher::is_due(const IssuerJob& job, MonotonicTime now) const {
  if (now >= job.next) return true;
  const auto keys = job.keys.lock();
  return keys && keys->wanted() && job.pause == Duration::zero() && now - job.last_attempt >= kWantedPause;
}

Duration JwksFetcher::run_due() {
  std::unique_lock lock(mutex_);
  return run_due_locked(lock);
}

Duration JwksFetcher::run_due_locked(std::unique_lock<std::mutex>& lock) {
  std::erase_if(issuers_, [](const auto& job) { return job->keys.expired(); });
  std::erase_if(files_, [](const FileJob& job) { return job.keys.expired(); });
  const MonotonicTime now = clock_.now();
  for (FileJob& job : files_) {
    if (now >= job.next) refresh_api_keys(job);
  }
  // The list may grow while a fetch has let go of the lock; what is new is looked at too, or next time.
  for (std::size_t i = 0; i < issuers_.size(); ++i) {
    if (!is_due(*issuers_[i], now)) continue;
    if (is_url(issuers_[i]->source)) {
      refresh_url(i, lock);
    } else {
      refresh_file(*issuers_[i]);
    }
  }
  Duration wait = kPauseMax;
  for (const FileJob& job : files_) wait = std::min(wait, job.next - clock_.now());
  for (const auto& job : issuers_) wait = std::min({wait, job->next - clock_.now(), kWantedPoll});
  return std::max(wait, Duration::zero());
}

void JwksFetcher::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const Duration wait = run_due_locked(lock);
    if (!stopping_) changed_.wait_for(lock, wait);
  }
}

}  // namespace gatehouse::app
