#include "core/io/url.h"

#include <algorithm>
#include <charconv>

#include <fmt/core.h>

#include "core/io/http_text.h"
#include "core/io/ip_address.h"

namespace berth::io {
namespace {

constexpr std::uint16_t standard_port(bool https) { return https ? 443 : 80; }

bool is_host_name(std::string_view host) {
  const auto allowed = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.' || c == '_';
  };
  return !host.empty() && host.size() <= 253 && std::ranges::all_of(host, allowed);
}

/// Percent-encodes what would break a request line.
std::string printable(std::string_view target) {
  std::string result;
  for (const char c : target) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte > 0x20 && byte < 0x7f) result += c;
    else result += fmt::format("%{:02X}", byte);
  }
  return result;
}

Result<void> parse_port(std::string_view text, Url& url) {
  if (text.empty()) return {};
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), url.port);
  if (failure != std::errc() || end != text.data() + text.size() || url.port == 0) return fail(Errc::usage, "its port is not between 1 and 65535");
  return {};
}

Result<void> parse_authority(std::string_view text, Url& url) {
  if (text.find('@') != std::string_view::npos) return fail(Errc::usage, "it has a user or password in it; use a client certificate");
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos) return fail(Errc::usage, "its '[' has no ']'");
    url.host = text.substr(1, end - 1);
    const auto address = ip_address(url.host, 0);
    if (!address || address->family() != AF_INET6) return fail(Errc::usage, "what is in its brackets is no IPv6 address");
    text.remove_prefix(end + 1);
    if (text.empty()) return {};
    if (!text.starts_with(':')) return fail(Errc::usage, "after its ']' comes no port");
    return parse_port(text.substr(1), url);
  }
  const auto colon = text.find(':');
  url.host = lower_case(text.substr(0, colon));
  if (!is_host_name(url.host)) return fail(Errc::usage, "it has no proper host name");
  return colon == std::string_view::npos ? Result<void>() : parse_port(text.substr(colon + 1), url);
}

/// What messages show of an address: not what may be a password.
std::string shown(std::string_view text) {
  const auto user = text.find("//");
  const auto host = text.find('@');
  if (user == std::string_view::npos || host == std::string_view::npos || host < user) return std::string(text.substr(0, 200));
  return std::string(text.substr(0, user + 2)) + "…" + std::string(text.substr(host, 200));
}

/// "/a/./b/../c" is "/a/c" (RFC 3986, 5.2.4).
std::string without_dots(std::string_view path) {
  std::string result;
  while (!path.empty()) {
    path.remove_prefix(1);  // its slash
    const auto end = std::min(path.find('/'), path.size());
    const auto segment = path.substr(0, end);
    path.remove_prefix(end);
    if (segment == "..") result.erase(std::min(result.rfind('/'), result.size()));
    else if (segment != ".") result += fmt::format("/{}", segment);
    if (path.empty() && (segment == "." || segment == "..")) result += '/';
  }
  return result.empty() ? "/" : result;
}

}  // namespace

std::string Url::authority() const {
  const std::string bare = host.find(':') == std::string::npos ? host : "[" + host + "]";
  return port == standard_port(https) ? bare : with_port(host, port);
}

std::string Url::text() const { return (https ? "https://" : "http://") + authority() + target; }

bool is_same_origin(const Url& a, const Url& b) { return a.https == b.https && a.host == b.host && a.port == b.port; }

Result<Url> parse_url(std::string_view text) {
  const std::string whole = shown(text);
  Url url;
  const std::string scheme = lower_case(text.substr(0, 8));
  if (!scheme.starts_with("http://") && scheme != "https://")
    return fail(Errc::usage, fmt::format("'{}' begins neither with http:// nor https://", whole));
  url.https = scheme == "https://";
  url.port = standard_port(url.https);
  text.remove_prefix(url.https ? 8 : 7);
  text = text.substr(0, text.find('#'));
  const auto end = std::min(text.find_first_of("/?"), text.size());
  if (const auto host = parse_authority(text.substr(0, end), url); !host)
    return fail(Errc::usage, fmt::format("'{}' is no address of the web: {}", whole, host.error().message));
  url.target = printable(text.substr(end));
  if (!url.target.starts_with('/')) url.target = "/" + url.target;
  return url;
}

Result<Url> resolve(const Url& base, std::string_view reference) {
  reference = reference.substr(0, reference.find('#'));
  const std::string start = lower_case(reference.substr(0, 8));
  if (start.starts_with("http://") || start == "https://") return parse_url(reference);
  if (reference.starts_with("//")) return parse_url((base.https ? "https:" : "http:") + std::string(reference));
  const auto end_of_scheme = reference.find_first_of(":/?");
  if (end_of_scheme != std::string_view::npos && reference[end_of_scheme] == ':')
    return fail(Errc::usage, fmt::format("'{}' is neither http nor https", shown(reference)));

  Url url = base;
  const std::string_view base_path = std::string_view(base.target).substr(0, base.target.find('?'));
  const auto query = std::min(reference.find('?'), reference.size());
  std::string path(reference.substr(0, query));
  if (path.empty()) path = base_path;
  else if (!path.starts_with('/')) path = std::string(base_path.substr(0, base_path.rfind('/') + 1)) + path;
  url.target = printable(without_dots(path)) + printable(reference.substr(query));
  return url;
}

}  // namespace berth::io
