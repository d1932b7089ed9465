#include "app/commands/admin_client.h"

#include <curl/curl.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

namespace gatehouse::app {
namespace {

constexpr std::size_t kReplyBytesMax = 64 * 1024 * 1024;
constexpr std::string_view kUnix = "unix:";

struct CurlFree {
  void operator()(CURL* handle) const noexcept { curl_easy_cleanup(handle); }
  void operator()(curl_slist* list) const noexcept { curl_slist_free_all(list); }
};

std::size_t take(char* data, std::size_t size, std::size_t count, void* to) {
  auto& body = *static_cast<std::string*>(to);
  if (body.size() + size * count > kReplyBytesMax) return 0;
  body.append(data, size * count);
  return size * count;
}

// What a person can do something about; libcurl speaks of "localhost port 80" where there is a socket.
std::string reason_for(CURLcode result, const char* why, const std::string& socket_path) {
  if (!socket_path.empty() && ::access(socket_path.c_str(), F_OK) != 0) {
    return errno == EACCES ? "its folder may not be entered by this user"
                           : "there is no such socket; is the gateway running?";
  }
  if (!socket_path.empty() && ::access(socket_path.c_str(), W_OK) != 0)
    return "this user may not use the socket; root, the gateway's own user and admin.group may";
  if (result == CURLE_COULDNT_CONNECT) return "nobody listens there; is the gateway running?";
  return why[0] != '\0' ? why : curl_easy_strerror(result);
}

}  // namespace

Result<AdminReply> admin_call(const AdminTarget& target, std::string_view method, std::string_view path,
                              std::string_view body) {
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  const std::unique_ptr<CURL, CurlFree> handle(ready == CURLE_OK ? curl_easy_init() : nullptr);
  if (!handle) return fail(ErrorCode::internal, "libcurl does not start");
  CURL* const curl = handle.get();

  const bool local = target.address.starts_with(kUnix);
  const std::string url = fmt::format("http://{}{}", local ? "localhost" : target.address, path);
  AdminReply reply;
  char why[CURL_ERROR_SIZE] = {};
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why);
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http");
  curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, 2L);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT, body.empty() ? 60L : 600L);  // a reload may have rules to compile
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &reply.body);
  const std::string verb(method);
  curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, verb.c_str());
  const std::string socket_path = local ? target.address.substr(kUnix.size()) : std::string();
  if (local) curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, socket_path.c_str());

  std::unique_ptr<curl_slist, CurlFree> fields;
  const auto add_field = [&](const char* line) { fields.reset(curl_slist_append(fields.release(), line)); };
  if (!body.empty()) {
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, static_cast<long>(body.size()));
    curl_easy_setopt(curl, CURLOPT_COPYPOSTFIELDS, body.data());
    add_field("Content-Type: application/json");
  }
  if (!local && !target.token.empty()) {
    // A copy that libcurl keeps until the call is over; it is not ours to wipe.
    add_field(fmt::format("Authorization: Bearer {}", target.token.expose()).c_str());
  }
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, fields.get());

  if (const CURLcode result = curl_easy_perform(curl); result != CURLE_OK) {
    return fail(result == CURLE_OPERATION_TIMEDOUT ? ErrorCode::timeout : ErrorCode::unavailable,
                fmt::format("no answer at {}: {}", target.address, reason_for(result, why, socket_path)),
                ErrorSource::system);
  }
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  reply.status = static_cast<int>(status);
  return reply;
}

}  // namespace gatehouse::app
