#pragma once
// Who can sign in at the demo's shop with a browser, and the application that may ask them for their orders. They are
// told to the running gateway over its admin API, as an administrator would, and are gone with its data.
//
// The first-administrator link stays what it is: none of them is one.

#include <string>

#include "app/commands/admin_client.h"
#include "base/result.h"

namespace gatehouse::app {

struct DemoPasswords {
  std::string alice, olga;  // made for this run, to be printed
};
DemoPasswords make_demo_passwords();

// Writes `folder`/customers.json, too, from which the services learn what the shop calls the two accounts. Error: it
// could not be written, or what the admin API refused.
Status tell_demo_people(const AdminTarget& target, const std::string& folder, const DemoPasswords& passwords);

}  // namespace gatehouse::app
