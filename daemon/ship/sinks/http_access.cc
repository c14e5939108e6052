#include "daemon/ship/sinks/http_access.h"

#include <algorithm>
#include <utility>

#include <fmt/core.h>

#include "core/io/http_text.h"
#include "core/io/proxy.h"
#include "core/io/url.h"
#include "daemon/config/values.h"
#include "daemon/ship/sinks/tls_files.h"

namespace berth::ship {
namespace {

Result<std::string> read_place(const std::string& text, std::string_view path) {
  BERTH_TRY(std::string url, config::parse_url(text));
  if (url.starts_with("file:")) return fail(Errc::usage, fmt::format("'{}' is no web server: give http:// or https://", text));
  BERTH_CHECK(io::parse_url(url));
  return url.ends_with(path) ? url : url + std::string(path);
}

bool is_header_name(std::string_view text) {
  const auto fits = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_'; };
  return !text.empty() && text.size() <= 64 && std::ranges::all_of(text, fits);
}

void read_identity(config::Section& section, HttpAccess& access) {
  const auto reference = [](const std::string& text) { return config::parse_reference(text); };
  section.read("token", access.token, reference);
  section.read("password", access.password, reference);
  section.read("token_header", access.token_header, [](const std::string& text) -> Result<std::string> {
    if (is_header_name(text)) return io::lower_case(text);
    return fail(Errc::usage, fmt::format("'{}' is no name of a header, such as 'x-api-key'", text));
  });
  access.user = section.string("user", {});
  if (access.user.find(':') != std::string::npos) section.complain("user", "user: it has a ':' in it, which a server takes for the end of it");
  if (section.has("user") != section.has("password"))
    section.complain(section.has("user") ? "user" : "password", "user and password go together: give both or none");
  if (section.has("token") && section.has("user")) section.complain("token", "token or user and password: a request has room for one of them");
  if (section.has("token_header") && !section.has("token")) section.complain("token_header", "token_header is of a 'token', which is missing");
  const auto url = io::parse_url(access.url);
  if (!url || url->https || io::is_loopback(url->host)) return;
  for (const char* key : {"token", "password"})
    if (section.has(key)) section.complain(key, fmt::format("{} would be sent over plain http, where anybody on the way can read it: use https://", key));
}

}  // namespace

HttpAccess parse_http(config::Section& section, std::string_view path, std::string_view example) {
  HttpAccess access;
  section.read("url", access.url, [path](const std::string& text) { return read_place(text, path); });
  if (!section.has("url")) section.complain("url", fmt::format("the sink needs a 'url', such as url = \"{}\"", example));
  read_identity(section, access);
  access.tls = parse_tls(section, access.url.starts_with("https://"));
  section.read("proxy", access.proxy, [](const std::string& text) -> Result<std::optional<std::string>> {
    BERTH_TRY(std::string proxy, config::parse_proxy(text));
    return std::optional(std::move(proxy));
  });
  section.read("compression", access.compress, [](const std::string& text) -> Result<bool> {
    if (text == "gzip" || text == "none") return text == "gzip";
    return fail(Errc::usage, fmt::format("'{}': compression is \"gzip\" or \"none\"", text));
  });
  section.read("timeout", access.timeout, [](const std::string& text) { return config::parse_interval(text); });
  return access;
}

std::function<Result<SecretHeader>()> identity_of(const HttpAccess& access, secrets::Sources sources) {
  if (access.token.empty() && access.user.empty()) return {};
  return [access, sources = std::move(sources)]() -> Result<SecretHeader> {
    auto secret = secrets::resolve(access.token.empty() ? access.password : access.token, sources);
    if (!secret) return pass(std::move(secret.error()), access.token.empty() ? "password" : "token");
    if (access.token.empty()) return SecretHeader{"authorization", crypto::Secret(io::basic_authorization(access.user, secret->view()))};
    if (!access.token_header.empty()) return SecretHeader{access.token_header, std::move(*secret)};
    return SecretHeader{"authorization", crypto::Secret("Bearer " + std::string(secret->view()))};
  };
}

Result<void> check_identity(const HttpAccess& access) {
  for (const auto& [key, reference] : {std::pair("token", &access.token), std::pair("password", &access.password)}) {
    if (!reference->starts_with("file:")) continue;
    if (const auto value = secrets::resolve(*reference, {}); !value) return fail(Errc::usage, fmt::format("{}: {}", key, config::unusable(value.error())));
  }
  return {};
}

}  // namespace berth::ship
