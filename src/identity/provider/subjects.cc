#include "identity/provider/subjects.h"

#include "codec/base64.h"
#include "crypto/digest.h"

namespace gatehouse::identity {

std::string_view sector_of(const ClientSettings& settings) noexcept {
  if (!settings.sector.empty()) return settings.sector;
  if (settings.redirect_uris.empty()) return {};
  std::string_view uri = settings.redirect_uris.front();
  const std::size_t colon = uri.find("://");
  if (colon == std::string_view::npos) return uri;
  uri.remove_prefix(colon + 3);
  return uri.substr(0, uri.find_first_of("/?"));
}

std::string Subjects::subject_of(std::string_view user_id, const Client& client) const {
  if (!client.settings.pairwise) return std::string(user_id);
  std::string input(sector_of(client.settings));
  input += '\0';
  input += user_id;
  return codec::base64url_encode(crypto::as_text(crypto::hmac_sha256(key_.expose(), input)));
}

}  // namespace gatehouse::identity
