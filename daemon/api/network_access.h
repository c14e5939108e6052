#pragma once

#include <optional>
#include <string_view>

#include "core/io/http.h"

namespace berth::api {

/// Whom a browser is asked for beside the token, which is the password.
inline constexpr std::string_view kTokensUser = "berth";

/// Whether load balancers and probes, which have no token, are answered there: /healthz and /readyz.
bool is_for_probes(std::string_view path);

/// Whether it is of the status page, which is for browsers, or leads there.
bool is_of_page(std::string_view path);

/// The 401 of a request that does not show `token`, as a bearer token (RFC 6750) or as the password of the user kTokensUser (RFC 7617); nothing: it does. Values are
/// compared in constant time.
std::optional<io::ServerReply> token_refusal(const io::ServerRequest& request, std::string_view token);

}  // namespace berth::api
