#pragma once
// Who can sign in at the demo's shop with a browser, and the application that may ask them for their orders. They are
// told to the running gateway over its admin socket, as an administrator would, and are gone with its data.
//
// The first-administrator link stays what it is: none of them is one.

#include <string>

#include "base/result.h"

namespace gatehouse::app {

struct DemoPasswords {
  std::string alice, olga;  // made for this run, to be printed
};
DemoPasswords make_demo_passwords();

// Waits for the admin socket in `folder`. Also writes `folder`/customers.json, from which the services learn what the
// shop calls the two accounts. Error: not `written`, or what the admin API refused.
Status tell_demo_people(const std::string& folder, const DemoPasswords& passwords);

}  // namespace gatehouse::app
