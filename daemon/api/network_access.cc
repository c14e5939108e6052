#include "daemon/api/network_access.h"

#include <algorithm>
#include <string>

#include "core/crypto/secret.h"
#include "core/crypto/sha256.h"
#include "core/io/proxy.h"
#include "daemon/api/problem.h"

namespace berth::api {
namespace {

char small_of(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

/// What stands behind the scheme, whose name is the same in either case (RFC 9110, 11.1); nothing where it is another one.
std::optional<std::string_view> credentials_of(std::string_view authorization, std::string_view scheme) {
  if (authorization.size() <= scheme.size() || authorization[scheme.size()] != ' ') return {};
  if (!std::ranges::equal(authorization.substr(0, scheme.size()), scheme, {}, small_of, small_of)) return {};
  authorization.remove_prefix(scheme.size());
  authorization.remove_prefix(std::min(authorization.find_first_not_of(' '), authorization.size()));
  return authorization;
}

bool shows(std::string_view authorization, std::string_view token) {
  if (const auto bearer = credentials_of(authorization, "bearer")) return crypto::equal_constant_time(*bearer, token);
  const auto basic = credentials_of(authorization, "basic");
  if (!basic) return false;
  const crypto::Secret wanted(io::basic_authorization(kTokensUser, token));
  return crypto::equal_constant_time(*basic, credentials_of(wanted.view(), "basic").value_or(std::string_view()));
}

}  // namespace

bool is_for_probes(std::string_view path) { return path == "/healthz" || path == "/readyz"; }

bool is_of_page(std::string_view path) { return path == "/" || path == "/page" || path.starts_with("/page/"); }

std::optional<io::ServerReply> token_refusal(const io::ServerRequest& request, std::string_view token) {
  const auto said = request.headers.find("authorization");
  if (said != request.headers.end() && !token.empty() && shows(said->second, token)) return {};
  io::ServerReply refused = problem({Errc::permission, said == request.headers.end() ? "this listener wants a token: show it as 'Authorization: Bearer …'; see [metrics] token of this node's berthd.toml"
                                                                                     : "that is not the token of this listener; see [metrics] token of this node's berthd.toml"},
                                    401);
  // A browser asks its user for Basic alone, and not where another scheme stands in front of it.
  refused.headers["www-authenticate"] = is_of_page(request.path) ? R"(Basic realm="berth", charset="UTF-8")" : R"(Bearer realm="berth")";
  return refused;
}

}  // namespace berth::api
