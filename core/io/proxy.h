#pragma once

#include <optional>
#include <string>

#include "core/io/http.h"
#include "core/io/line.h"
#include "core/io/url.h"
#include "core/result.h"

namespace berth::io {

/// A proxy that takes part in a fetch.
struct Proxy {
  Url at;
  std::string authorization;  ///< for Proxy-Authorization; or empty

  std::string name() const { return "proxy " + at.authority(); }  ///< as messages have it
};

/// Reads `http://[user:password@]host[:port][/]`. `Errc::usage` for anything else, without showing what may be a password.
Result<Proxy> parse_proxy(std::string_view text);

/// The proxy for `url`, or none. Fails as `parse_proxy` does.
Result<std::optional<Proxy>> proxy_for(const Url& url, const ProxyOptions& options);

/// Makes `line`, which leads to `proxy`, one that leads to the host of `url` (CONNECT).
Result<void> ask_for_tunnel(Line& line, const Url& url, const Proxy& proxy);

/// Whether `host` is this machine: `localhost`, 127.0.0.0/8, ::1.
bool is_loopback(const std::string& host);

/// "Basic …" of a user and a password (RFC 7617).
std::string basic_authorization(std::string_view user, std::string_view password);

/// What `http_proxy`, `https_proxy` and `no_proxy` of the environment say. HTTPS_PROXY and NO_PROXY count too; HTTP_PROXY does not, since a CGI
/// program's environment has it from whoever asks.
ProxyOptions proxies_of_environment();

}  // namespace berth::io
