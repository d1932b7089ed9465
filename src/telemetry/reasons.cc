#include "telemetry/reasons.h"

#include <algorithm>
#include <iterator>

namespace gatehouse::telemetry {
namespace {

constexpr std::string_view kFixClient = "Correct the client: no setting of the gateway lets this through.";
constexpr std::string_view kWatchClient =
    "An ordinary client does not do this. Look for other requests of this client: gatehouse bans add ADDRESS --for 1h";

// Sorted by code within each family; a family's own text ends in '.'.
constexpr ReasonText kReasons[] = {
    // bans
    {"ban.network", "the client's address lies in a network that `bans.deny` lists",
     "Take the network out of bans.deny, or put the address into bans.allow."},
    {"ban.timed", "the client's address is banned for a time, by an operator or for repeated attacks",
     "See `gatehouse bans`; lift it with `gatehouse bans remove ADDRESS`."},
    {"ban.", "the client is banned", "See `gatehouse bans`."},
    // zones and routes
    {"zone.forbidden", "the route may not be called from the client's zone",
     "Add the zone to the route's `zones`, or the client's network to the right zone under `zones`."},
    {"zone.", "the client's zone does not allow this", "See `zones` in the configuration."},
    {"route.method", "routes match the path, but none of them this method",
     "Add the method to the route's `match.methods`."},
    {"route.not_found", "no route matches the host, path and method",
     "Only what is listed is reachable: add a route whose `match` covers this request."},
    {"route.rewrite", "the route's rewrite makes a path that is none", "Correct `rewrite` of the route."},
    {"route.", "no route takes this request", "See `routes` in the configuration."},
    // limits and rates
    {"limits.body", "the body is longer than the route allows", "Raise `body_bytes` of the route or the listener."},
    {"limits.", "a limit of the listener or the route was exceeded", "See `limits` of the listener."},
    {"rate.concurrency", "too many requests of this key are in flight at once",
     "Raise `concurrent` of that rate limit, or let the client wait for its answers."},
    {"rate.exceeded", "the key has used up its rate and its burst",
     "The client should wait as Retry-After says. If the limit is too low, raise `rate` or `burst`; to see first whom "
     "it hits, set the layer to monitor."},
    {"rate.", "a rate limit was reached", "See `rate_limit` of the route and of the whole gateway."},
    // penalties
    {"penalty.ban", "the client was banned for repeated attacks",
     "See `penalties.attacks`; lift the ban with `gatehouse bans remove ADDRESS`."},
    {"penalty.delay", "the client was slowed down after repeated failures", "See `penalties.failed_logins`."},
    {"penalty.parked_full", "the client had to be slowed down, and too many requests are held back already",
     "Raise `penalties.parked_max`, or look for the attack that fills it."},
    {"penalty.", "the client was penalised for what it did before", "See `penalties`."},
    // authentication and authorization
    {"auth.algorithm", "the token is signed with an algorithm that the issuer is not allowed",
     "List it in `algorithms` of the issuer if it is meant to be used. Unsigned tokens are never accepted."},
    {"auth.api_key", "the API key is malformed, unknown, revoked or expired", "See `gatehouse apikey list`."},
    {"auth.audience", "the token is meant for another audience",
     "Compare the token's aud with the issuer's `audience`."},
    {"auth.binding", "the token is bound to a client certificate or key that this connection did not prove",
     "The client has to use the certificate for which the token was issued."},
    {"auth.expired", "the token or key has expired",
     "The client has to fetch a new one. Check its clock, and `leeway`."},
    {"auth.issuer", "no configured issuer made this token",
     "Compare the token's iss with `authentication.jwt[].issuer`."},
    {"auth.key_unknown", "the issuer's keys hold none with the token's key id",
     "A key was rotated or withdrawn: the client has to fetch a new token."},
    {"auth.keys_unavailable", "the issuer's keys could not be fetched, and no good ones are left",
     "See whether the gateway reaches the issuer's `jwks` address: `gatehouse doctor`."},
    {"auth.malformed", "the credentials are not well-formed", kFixClient},
    {"auth.missing", "the route needs authentication and the request brought none",
     "Send a token or key. If the route is for everybody, say `public: true`."},
    {"auth.not_yet_valid", "the token is not valid yet", "Check the issuer's clock and ours, and `leeway`."},
    {"auth.signature", "the token's signature does not verify with the issuer's keys",
     "Either the token was tampered with, or the issuer uses keys that are not in its `jwks`."},
    {"auth.", "the caller did not prove who it is", "See `authentication` in the configuration."},
    {"access.audience", "the token is for another audience than the route's", "See `access.audience` of the route."},
    {"access.mfa", "the route needs a second factor, and this session has none",
     "The user has to sign in with a second factor."},
    {"access.mfa_age", "the second factor of this session is too old for the route, or of unknown age",
     "The user has to sign in with a second factor again; see `access.mfa_max_age`."},
    {"access.mfa_age", "the second factor was given too long ago",
     "The user has to sign in again; see `access.mfa_max_age`."},
    {"access.role", "the caller has none of the roles that the route asks for",
     "Give the caller one of the roles, or add one of its roles to `access.roles`."},
    {"access.scope", "the token lacks a scope that the route asks for",
     "The client has to ask its issuer for the scope, or `access.scopes` asks for too much."},
    {"access.", "the caller is known, and not allowed to do this", "See `access` of the route."},
    // browsers
    {"cors.origin", "a page of another origin asked, and the route does not list that origin",
     "Add it to `cors.origins` of the route if that page may read the answers."},
    {"cors.preflight", "a browser asked whether it may send a request; the gateway answered by itself", ""},
    {"cors.", "a rule for pages of other origins applied", "See `cors` of the route."},
    // inspection
    {"waf.body_too_large", "the body is longer than is inspected",
     "Raise `waf.request_body`, or set `waf.on_exceed: partial` where only the beginning has to be inspected."},
    {"waf.content_coding",
     "the body's Content-Encoding cannot be read, so that nobody knows what the service would see",
     "gzip, deflate and br are read, one at a time; otherwise the client has to send the body as it is."},
    {"waf.masked", "card numbers or keys in the answer were made unreadable",
     "The service sends them; see `waf.response_mask`. A route that has to send a token: `response_mask: [cards]`."},
    {"waf.memory", "the bodies that wait for inspection take all the memory that they may",
     "Look for clients that send their bodies slowly; `waf.memory` is the bound."},
    {"waf.response_coding", "the answer's Content-Encoding cannot be read, so that nobody knows what is in it",
     "gzip, deflate and br are read, one at a time. See `waf.response_on_exceed` for what the service cannot change."},
    {"waf.response_rule", "an inspection rule withholds this answer by itself, whatever the score",
     "The evidence names it. The service said what it should not; for a false alarm: `waf.exclude` of the route."},
    {"waf.response_score", "what the inspection rules found in the answer adds up to more than the threshold",
     "The evidence names the rules. The service said what it should not; for a false alarm: `waf.exclude` of the "
     "route."},
    {"waf.response_too_large", "the answer is longer than is inspected",
     "Raise `waf.response_body`, or set `waf.response_on_exceed: partial` where the beginning is enough."},
    {"waf.rule", "an inspection rule refuses this by itself, whatever the score",
     "The evidence names it. For a false alarm exclude it for the field: `waf.exclude` of the route."},
    {"waf.score", "the inspection rules that matched add up to more than the threshold",
     "The evidence names rules and fields. For a false alarm exclude one rule for one field: `waf.exclude` of the "
     "route."},
    {"waf.", "the inspection rules matched", "The evidence names rule and field; see `waf` of the route."},
    {"schema.body", "the body is not what the route's OpenAPI document says, or missing, or not wanted",
     "The evidence names the place and the rule. If the client is right, correct the document."},
    {"schema.body_too_large", "the body is longer than is read for the route's OpenAPI document",
     "Raise `waf.request_body` of the route, which says how much of a body is held back to be judged."},
    {"schema.content_type", "the OpenAPI document has no such content type for the operation",
     "Add it under `content` of the operation's requestBody, or correct the client."},
    {"schema.method", "the OpenAPI document has the path, but not with this method",
     "Add the operation to the document if the service has it."},
    {"schema.parameter", "a parameter is missing, given twice, or not what the OpenAPI document says",
     "The evidence names the parameter and the rule. If the client is right, correct the document."},
    {"schema.path", "the OpenAPI document has no such path",
     "Add the path to the document if the service has it. Paths are compared as the service sees them, behind "
     "`rewrite`; see `openapi.base_path`."},
    {"schema.unknown_parameter",
     "the request holds a parameter, field or member that the OpenAPI document does not know",
     "Describe it in the document; or set `openapi.unknown_parameters: report` to let such requests pass."},
    {"schema.work", "finding out whether the request fits the OpenAPI document took more work than is allowed",
     "Look for patterns that backtrack and for alternatives within alternatives in the document."},
    {"schema.", "the request does not fit the route's OpenAPI document", kFixClient},
    // upstream
    {"upstream.bad_response", "the upstream's answer was not valid HTTP; nothing of it was passed on",
     "Look at the service: a proxy that guesses what such an answer means can be made to mix up answers."},
    {"upstream.queue_timeout", "all connections to the service were in use, and none became free in time",
     "The service is slower than its load. Give it endpoints, or raise `circuit.connections`."},
    {"upstream.circuit_open", "a circuit limit of the service is reached, so no attempt was made",
     "The service is slower than its load. Give it endpoints, or raise `circuit`."},
    {"upstream.connect", "no connection to the upstream came about", "Is the service running, and its address right?"},
    {"upstream.connect_timeout", "the upstream did not accept the connection in time",
     "Is the service reachable? See `timeouts.connect`."},
    {"upstream.no_endpoint", "the service has no endpoint that could take the request",
     "See `gatehouse status`: all are unhealthy or ejected, or their name does not resolve."},
    {"upstream.refused", "the upstream refused the request before it looked at it (HTTP/2 REFUSED_STREAM or GOAWAY)",
     "The service is overloaded or restarting; such requests are retried where an attempt is left."},
    {"upstream.reset", "the upstream closed the connection before its answer was complete",
     "Look at the service's own log at this time, with the trace id."},
    {"upstream.timeout", "the upstream did not answer in time", "See `timeouts.response` and the route's `timeout`."},
    {"upstream.tls", "the TLS handshake with the upstream failed",
     "Check `tls.ca` and `tls.sni` of the service, and its certificate's names and dates."},
    {"upstream.unhealthy", "all endpoints of the service fail their health checks",
     "See `gatehouse status` and the service's `health.path`."},
    {"upstream.", "the upstream did not give a usable answer", "See `gatehouse status` and the service's own log."},
    // clients and tunnels
    {"client.closed", "the client left before it had its answer", ""},
    {"client.", "the client ended the exchange", ""},
    {"websocket.limit", "a message was longer than the route allows, or there were too many of them",
     "See `message_bytes` and `messages_per_second` of the route's `websocket`."},
    {"websocket.protocol", "a frame broke the WebSocket protocol", kFixClient},
    {"websocket.", "the WebSocket was closed by the gateway", "See `websocket` of the route."},
    // messages that were refused before they became requests
    {"http.authority_mismatch", "the request names two different hosts", kWatchClient},
    {"http.backslash", "the path holds a backslash, which some servers take for a slash", kFixClient},
    {"http.bad_forwarded", "a forwarding header of a trusted proxy cannot be read",
     "Correct the proxy in front, or take it out of `trusted_proxies`."},
    {"http.bare_cr", "a carriage return stands alone, which parsers read differently", kWatchClient},
    {"http.bare_lf", "a line ends without a carriage return, which parsers read differently", kWatchClient},
    {"http.body_too_large", "the body is longer than allowed", "Raise `body_bytes` of the route or the listener."},
    {"http.body_too_slow", "the body came more slowly than `body_min_rate`",
     "Either a slow-body attack, or a client on a very poor line: lower `limits.body_min_rate`."},
    {"http.chunk", "the chunked body is malformed", kWatchClient},
    {"http.content_length", "the Content-Length is not a plain number", kWatchClient},
    {"http.content_length_mismatch", "the body is not as long as its Content-Length says", kFixClient},
    {"http.control_byte", "there are control bytes in the head", kWatchClient},
    {"http.dot_segments", "the path climbs above its root", kWatchClient},
    {"http.duplicate_content_length", "there is more than one Content-Length", kWatchClient},
    {"http.duplicate_field", "a field that may come once came twice", kFixClient},
    {"http.duplicate_host", "there is more than one Host", kWatchClient},
    {"http.encoded_backslash", "the path holds %5C, which some servers take for a slash", kFixClient},
    {"http.encoded_nul", "the path holds %00", kWatchClient},
    {"http.encoded_slash", "the path holds %2F, which the gateway and the service might read differently",
     "If the route's paths need it, set `allow_encoded_slash: true` there."},
    {"http.escape", "the path holds a broken percent-escape", kFixClient},
    {"http.expect", "the Expect field asks for something other than 100-continue", kFixClient},
    {"http.field_name", "a field's name is not a token", kFixClient},
    {"http.forwarded_conflict", "Forwarded and X-Forwarded-For of a trusted proxy disagree",
     "Let the proxy in front send one of the two."},
    {"http.h2_connection_header", "an HTTP/2 request carries a field that belongs to HTTP/1 connections", kFixClient},
    {"http.h2_continuation_flood", "an HTTP/2 head came in too many CONTINUATION frames", kWatchClient},
    {"http.h2_empty_frame_flood", "too many empty HTTP/2 frames", kWatchClient},
    {"http.h2_hpack_expansion", "an HTTP/2 head expands beyond the limit",
     "An attack, or very large cookies: see `limits.header_bytes`."},
    {"http.h2_ping_flood", "too many HTTP/2 PING frames", kWatchClient},
    {"http.h2_protocol_error", "the client broke the HTTP/2 protocol", kFixClient},
    {"http.h2_provoked_reset", "the client made us reset too many HTTP/2 streams", kWatchClient},
    {"http.h2_pseudo_header", "HTTP/2 pseudo-headers are missing, repeated or misplaced", kFixClient},
    {"http.h2_rapid_reset", "the client opened and reset HTTP/2 streams too fast", kWatchClient},
    {"http.h2_settings_flood", "too many HTTP/2 SETTINGS frames", kWatchClient},
    {"http.h2_uppercase_name", "an HTTP/2 field name has capital letters", kFixClient},
    {"http.h2_window_flood", "the client kept its HTTP/2 window closed to hold our memory", kWatchClient},
    {"http.header_timeout", "the head did not come in time",
     "Either a slow-header attack, or see `limits.header_timeout`."},
    {"http.header_too_large", "the head is larger than allowed",
     "See `limits.header_bytes`; large cookies are the usual cause."},
    {"http.host", "the Host is not a valid host name", kFixClient},
    {"http.leading_space", "there is white space before the first field", kWatchClient},
    {"http.method", "the method is not a token", kFixClient},
    {"http.trace", "TRACE and TRACK answer with what they were asked, and that holds what only the service may see",
     "No route lets them through."},
    {"http.missing_colon", "a field line has no colon", kFixClient},
    {"http.missing_host", "the request has no Host", kFixClient},
    {"http.obs_fold", "a field is continued on a second line, which HTTP no longer allows", kFixClient},
    {"http.overlong_utf8", "the path holds UTF-8 in a longer form than needed, a way to hide characters", kWatchClient},
    {"http.peer_closed", "the client closed the connection before it had its answer", ""},
    {"http.request_line", "the request line is malformed", kFixClient},
    {"http.space_before_colon", "a field's name is followed by a space", kWatchClient},
    {"http.status_line", "the upstream's status line is malformed", "Look at the service."},
    {"http.target", "the request target is malformed", kFixClient},
    {"http.te_and_cl", "the request has both Transfer-Encoding and Content-Length: request smuggling begins like this",
     kWatchClient},
    {"http.te_in_http10", "an HTTP/1.0 request has a Transfer-Encoding", kWatchClient},
    {"http.too_many_headers", "the head has more fields than allowed", "See `limits.headers`."},
    {"http.trailer", "a trailer holds a field that may not be there", kWatchClient},
    {"http.transfer_encoding", "the Transfer-Encoding is not exactly `chunked`", kWatchClient},
    {"http.truncated", "the message ended too early", ""},
    {"http.underscore_in_name", "a field's name has an underscore, which servers confuse with a dash",
     "If a client needs it, set `allow_underscore_headers: true` on the listener."},
    {"http.upgrade", "the Upgrade is malformed", kFixClient},
    {"http.upgrade_not_allowed", "the route does not allow an Upgrade",
     "Set `websocket: { enabled: true }` on the route."},
    {"http.uri_too_long", "the target is longer than allowed", "See `limits.uri_bytes`."},
    {"http.version", "the HTTP version is malformed or not spoken here", kFixClient},
    {"http.", "the message was malformed", kFixClient},
};

constexpr ReasonText kUnknown = {"", "this version of the program does not know the reason code", ""};

const ReasonText* find(std::string_view code) noexcept {
  const auto* const found =
      std::find_if(std::begin(kReasons), std::end(kReasons), [&](const ReasonText& text) { return text.code == code; });
  return found == std::end(kReasons) ? nullptr : found;
}

}  // namespace

const ReasonText& text_of_reason(std::string_view code) noexcept {
  if (const ReasonText* exact = find(code)) return *exact;
  const std::size_t dot = code.find('.');
  const ReasonText* family = dot == std::string_view::npos ? nullptr : find(code.substr(0, dot + 1));
  return family != nullptr ? *family : kUnknown;
}

bool has_reason_text(std::string_view code) noexcept { return find(code) != nullptr; }

}  // namespace gatehouse::telemetry
