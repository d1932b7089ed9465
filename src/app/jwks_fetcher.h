#pragma once
// Keeps the keys that authentication needs up to date: key sets of token issuers, by file or URL, and the file of API
// keys. A control thread of its own: fetching blocks.
//
// What it holds to: the last good set stays in use, whatever the source does. `Cache-Control: max-age` (RFC 9111
// §5.2.2.1) sets the next fetch, within bounds, else `refresh`. A key id that nobody knows brings the next fetch
// forward, but no more than once in ten seconds: tokens with made-up ids must not make us flood the issuer. After a
// failure the pause doubles, from a second to five minutes.
// Bounds: a document of 256 KiB, ten seconds, three redirects, https only (http to the loopback address).
//
// Thread safety: all calls from one control thread, the readers of what is returned from anywhere.

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/file.h"
#include "base/result.h"
#include "gateway/config.h"
#include "gateway/layers/authentication/api_keys.h"
#include "gateway/layers/authentication/key_source.h"

namespace gatehouse::app {

// What a URL answered.
struct FetchedDocument {
  std::string text;
  std::optional<std::chrono::seconds> max_age;  // zero for no-cache and no-store
};
Result<FetchedDocument> fetch_document(const std::string& url);  // by libcurl; blocks for ten seconds at most

class JwksFetcher {
 public:
  using Fetch = std::function<Result<FetchedDocument>(const std::string& url)>;
  enum class Thread : bool { none, own };  // without one, `run_due` does the work: for tests

  // Told of every reading of an issuer's keys, by the thread that reads; for the metrics.
  using Listener = std::function<void(const std::string& issuer, bool good)>;

  explicit JwksFetcher(const Clock& clock = SystemClock::instance(), Fetch fetch = fetch_document,
                       Thread thread = Thread::own, Listener listener = {});
  ~JwksFetcher();  // waits for a fetch under way

  // The keys of a configuration's issuers, in its order. An issuer that stays the same keeps what it has. Files are
  // read now and must be good; URLs are fetched by the thread, and their tokens refused until the first set is here.
  // What no configuration uses any more is forgotten.
  Result<gateway::KeySource> keys_for(const std::vector<gateway::JwtIssuerConfig>& issuers);

  // The API keys of `file`, read now; later changes of the file apply within seconds, good ones only.
  Result<std::shared_ptr<gateway::ApiKeySource>> api_keys_for(const std::string& file);

  // Does what is due; returns how long nothing will be.
  Duration run_due();

 private:
  struct IssuerJob {
    std::string source, name;
    crypto::AlgorithmSet algorithms;
    std::string identity;  // of source and algorithms
    std::weak_ptr<gateway::IssuerKeys> keys;
    Duration refresh{};
    MonotonicTime next, last_attempt;
    Duration pause{};  // after failures; zero after a success
    FileStamp stamp;
    bool attempted = false;
  };
  struct FileJob {
    std::string file;
    std::weak_ptr<gateway::ApiKeySource> keys;
    FileStamp stamp;
    MonotonicTime next;
  };
  static bool is_url(const std::string& source);

  void tell(const IssuerJob& job, bool good) const;
  Status load_file(IssuerJob& job);
  void refresh_url(std::size_t index, std::unique_lock<std::mutex>& lock);
  void refresh_file(IssuerJob& job);
  void refresh_api_keys(FileJob& job);
  bool is_due(const IssuerJob& job, MonotonicTime now) const;
  Duration run_due_locked(std::unique_lock<std::mutex>& lock);
  void run();

  const Clock& clock_;
  const Fetch fetch_;
  const Listener listener_;
  std::mutex mutex_;  // over everything below; not held while fetching
  std::condition_variable changed_;
  std::vector<std::shared_ptr<IssuerJob>> issuers_;
  std::vector<FileJob> files_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace gatehouse::app
