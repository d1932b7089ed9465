#include "gateway/login/logins.h"

#include "gateway/login/login_testing.h"

namespace gatehouse::gateway {
namespace {

using namespace std::chrono_literals;

TEST_F(LoginTest, AKeyThatIsGoneEndsWhatWasOpenedWithIt) {
  const std::string session = sign_in();
  EXPECT_EQ(ask({{"cookie", session}}).decision.verdict, Verdict::pass);
  sealer_->use(cookie_keys({{1, 'k'}, {2, 'n'}}), 2);
  EXPECT_EQ(ask({{"cookie", session}}).decision.verdict, Verdict::pass) << "a rotation signs nobody out";
  clock_.advance(3min);
  ask({{"cookie", session}});
  finish_renewals();
  const std::string newer = cookie_of(ask({{"cookie", session}}).set_cookie);
  sealer_->use(cookie_keys({{2, 'n'}}), 2);
  EXPECT_EQ(ask({{"cookie", session}}).decision.status, 401) << "though it was opened a moment ago";
  EXPECT_EQ(ask({{"cookie", newer}}).decision.verdict, Verdict::pass);
}

}  // namespace
}  // namespace gatehouse::gateway
