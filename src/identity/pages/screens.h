#pragma once
// The pages that the provider's endpoints show: consent, devices, signing out, errors.
//
// A client's own pictures are not shown: the browser would fetch them from the client, which learned of every visit,
// and the CSP names no place but ours. A client is shown by its name and by the host that gets the answer, which is the
// part of it that cannot lie.
// Thread safety: any thread.

#include "identity/pages/page.h"
#include "identity/provider/screens.h"

namespace gatehouse::identity {

class PageScreens final : public Screens {
 public:
  explicit PageScreens(Site site) : site_(std::move(site)) {}  // its assets outlive this

  WebResponse consent(const WebRequest& request, const ConsentScreen& screen) override;
  WebResponse device(const WebRequest& request, const DeviceScreen& screen) override;
  WebResponse confirm_logout(const WebRequest& request, const LogoutScreen& screen) override;
  WebResponse signed_out(const WebRequest& request) override;
  WebResponse form_post(const WebRequest& request, std::string_view action,
                        const std::vector<std::pair<std::string, std::string>>& fields) override;
  WebResponse error(const WebRequest& request, int status, std::string_view code,
                    std::string_view description) override;

 private:
  WebResponse confirm_device(const Words& words, const DeviceScreen& screen) const;
  WebResponse ask_device_code(const Words& words, const DeviceScreen& screen) const;

  const Site site_;
};

}  // namespace gatehouse::identity
