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

}  // namespace

void print_demo_text(const std::string& folder, std::uint16_t port, const std::string& program) {
  const Style style = Style::choose();
  const std::string shop = fmt::format("https://localhost:{}", port);
  const std::string curl = fmt::format("curl --cacert {}/ca.pem", folder);
  std::string out;
  const auto title = [&](std::string_view text) { out += fmt::format("\n{}{}{}\n", style.bold, text, style.off); };
  const auto line = [&](std::string_view what, std::string_view command) {
    out += fmt::format("  {}# {}{}\n  {}\n", style.dim, what, style.off, command);
  };

  out += fmt::format("\n{}The shop is open: {}{}   (Ctrl-C closes it and leaves nothing but the compiled rules)\n",
                     style.bold, shop, style.off);
  title("Ask for something, from another terminal");
  line("anyone may look", fmt::format("{} {}/products", curl, shop));
  line("alice, a customer, sees her orders", fmt::format("{} -H @{}/alice {}/orders", curl, folder, shop));
  line(
      "and with a second factor she may pay",
      fmt::format("{} -H @{}/alice-mfa {}/payments/charges --json "
                  "'{{\"order\":\"ord-7f3a90c2e51b\",\"amount_cents\":11900,\"card_number\":\"4242 4242 4242 4242\"}}'",
                  curl, folder, shop));
  line("olga works in the office (127.0.0.2) and sees all orders",
       fmt::format("{} --interface 127.0.0.2 -H @{}/olga {}/orders", curl, folder, shop));
  line("a partner's API key", fmt::format("{} -H @{}/partner {}/partner/products", curl, folder, shop));
  line("what a service is told about the caller", fmt::format("{} -H @{}/alice {}/headers", curl, folder, shop));

  title("Attack it");
  line("without a second factor: 403",
       fmt::format("{} -i -H @{}/alice {}/payments/charges --json '{{}}'", curl, folder, shop));
  line("with a forged identity: 401", fmt::format("{} -i -H 'x-gatehouse-user: bob' {}/orders", curl, shop));
  line("climbing out of the root: 400",
       fmt::format("{} -i --path-as-is '{}/products/..%2f..%2fetc/passwd'", curl, shop));
  line("smuggling a second request: 400",
       fmt::format("printf 'POST /echo HTTP/1.1\\r\\nHost: localhost\\r\\nContent-Length: 6\\r\\nTransfer-Encoding: "
                   "chunked\\r\\n\\r\\n0\\r\\n\\r\\nG' | openssl s_client -quiet -connect localhost:{} 2>/dev/null",
                   port));
  line("an SQL injection in the query: 403",
       fmt::format("{} -i '{}/products?id=1%27%20OR%20%271%27=%271'", curl, shop));
  line("a script in a JSON body: 403",
       fmt::format("{} -i {}/echo --json '{{\"comment\":\"<script>alert(document.cookie)</script>\"}}'", curl, shop));
  line("scraping the search: 429",
       fmt::format("for i in $(seq 40); do {} -so /dev/null -w '%{{http_code}} ' '{}/search?q=lamp'; done; echo", curl,
                   shop));

  title("Ask why");
  line("every answer has an x-request-id; this tells what each layer decided, and on which evidence",
       fmt::format("{} explain REQUEST_ID -c {}/gatehouse.yaml", program, folder));
  line("the access log", fmt::format("tail -f {}/access.log", folder));
  out += '\n';
  std::fwrite(out.data(), 1, out.size(), stdout);
  std::fflush(stdout);
}

}  // namespace gatehouse::app
