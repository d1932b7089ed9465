#include "app/dev/demo_text.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace gatehouse::app {
namespace {

// NO_COLOR and a stdout that is no terminal turn it off.
struct Style {
  const char* bold = "";
  const char* dim = "";
  const char* off = "";
  static Style choose() {
    const char* no_color = std::getenv("NO_COLOR");
    if (isatty(STDOUT_FILENO) == 0 || (no_color != nullptr && *no_color != '\0')) return {};
    return {"\033[1m", "\033[2m", "\033[0m"};
  }
};

class Text {
 public:
  void title(std::string_view text) { out_ += fmt::format("\n{}{}{}\n", style_.bold, text, style_.off); }
  void command(std::string_view what, std::string_view command) {
    out_ += fmt::format("  {}# {}{}\n  {}\n", style_.dim, what, style_.off, command);
  }
  // Something to do rather than to paste.
  void step(std::string_view name, std::string_view text) { out_ += fmt::format("  {:<8}{}\n", name, text); }
  void print() const {
    std::fwrite(out_.data(), 1, out_.size(), stdout);
    std::fflush(stdout);
  }

 private:
  const Style style_ = Style::choose();
  std::string out_;
};

void add_browser(Text& text, const DemoText& demo, const std::string& shop) {
  text.title("Sign in, with a browser (it warns of the certificate, which was made for this run)");
  text.step("open", shop + "/account");
  text.step("alice", fmt::format("is a customer, with the password {}", demo.passwords.alice));
  text.step("olga", fmt::format("is an operator and sees all orders: {}", demo.passwords.olga));
  text.step("pay",
            "for one of alice's orders: the page asks for a second factor, and lets her add one. Without a phone,");
  text.step("", "take the key behind \"You cannot scan it?\":");
  text.step("", fmt::format("python3 {}/totp.py 'THE KEY'", demo.demo_dir));
  text.step("share", fmt::format("with somebody else's application: http://127.0.0.1:{}", demo.application_port));
  text.step("", "alice is asked what it may do, and it can do no more");
}

void add_requests(Text& text, const DemoText& demo, const std::string& shop, const std::string& curl) {
  const std::string& folder = demo.folder;
  text.title("Ask for something, from another terminal");
  text.command("anyone may look", fmt::format("{} {}/products", curl, shop));
  text.command("alice, a customer, sees her orders", fmt::format("{} -H @{}/alice {}/orders", curl, folder, shop));
  text.command(
      "and with a second factor she may pay",
      fmt::format("{} -H @{}/alice-mfa {}/payments/charges --json "
                  "'{{\"order\":\"ord-7f3a90c2e51b\",\"amount_cents\":11900,\"card_number\":\"4242 4242 4242 4242\"}}'",
                  curl, folder, shop));
  text.command("olga works in the office (127.0.0.2) and sees all orders",
               fmt::format("{} --interface 127.0.0.2 -H @{}/olga {}/orders", curl, folder, shop));
  text.command("a partner's API key", fmt::format("{} -H @{}/partner {}/partner/products", curl, folder, shop));
  text.command("what a service is told about the caller",
               fmt::format("{} -H @{}/alice {}/headers", curl, folder, shop));
}

void add_attacks(Text& text, const DemoText& demo, const std::string& shop, const std::string& curl) {
  text.title("Attack it");
  text.command("without a second factor: 403",
               fmt::format("{} -i -H @{}/alice {}/payments/charges --json '{{}}'", curl, demo.folder, shop));
  text.command("with a forged identity: 401", fmt::format("{} -i -H 'x-gatehouse-user: bob' {}/orders", curl, shop));
  text.command("climbing out of the root: 400",
               fmt::format("{} -i --path-as-is '{}/products/..%2f..%2fetc/passwd'", curl, shop));
  text.command("smuggling a second request: 400",
               fmt::format("printf 'POST /echo HTTP/1.1\\r\\nHost: localhost\\r\\nContent-Length: "
                           "6\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n0\\r\\n\\r\\nG' | "
                           "openssl s_client -quiet -connect localhost:{} 2>/dev/null",
                           demo.port));
  text.command("an SQL injection in the query: 403",
               fmt::format("{} -i '{}/products?id=1%27%20OR%20%271%27=%271'", curl, shop));
  text.command(
      "a script in a JSON body: 403",
      fmt::format("{} -i {}/echo --json '{{\"comment\":\"<script>alert(document.cookie)</script>\"}}'", curl, shop));
  text.command("scraping the search: 429",
               fmt::format("for i in $(seq 40); do {} -so /dev/null -w '%{{http_code}} ' '{}/search?q=lamp'; "
                           "done; echo",
                           curl, shop));
}

}  // namespace

void print_demo_text(const DemoText& demo) {
  const std::string shop = fmt::format("https://localhost:{}", demo.port);
  const std::string curl = fmt::format("curl --cacert {}/ca.pem", demo.folder);
  Text text;
  text.title(fmt::format("The shop is open: {}   (Ctrl-C closes it and leaves nothing but the compiled rules)", shop));
  text.title("Watch it: the dashboard, in a browser");
  text.step("open", demo.dashboard);
  text.step("", "the link signs in once, within ten minutes; for another:");
  text.step("", fmt::format("{} dashboard -c {}/gatehouse.yaml", demo.program, demo.folder));
  text.step("attack", fmt::format("the shop while you watch: {}/products?id=1%27%20OR%20%271%27=%271", shop));
  add_browser(text, demo, shop);
  add_requests(text, demo, shop, curl);
  add_attacks(text, demo, shop, curl);
  text.title("Administer it");
  const auto admin = [&](std::string_view what) {
    return fmt::format("{} {} -c {}/gatehouse.yaml", demo.program, what, demo.folder);
  };
  text.command("who is signed in as alice, and where", admin("user sessions alice"));
  text.command("somebody leaves: signed out everywhere within a second", admin("user disable alice"));
  text.command("and what became of whom", admin("user list"));

  text.title("Ask why");
  text.command("every answer has an x-request-id; this tells what each layer decided, and on which evidence",
               admin("explain REQUEST_ID"));
  text.command("the access log", fmt::format("tail -f {}/access.log\n", demo.folder));
  text.print();
}

}  // namespace gatehouse::app
