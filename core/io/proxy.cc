#include "core/io/proxy.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>

#include <arpa/inet.h>
#include <fmt/core.h>
#include <mbedtls/base64.h>
#include <netinet/in.h>

#include "core/io/http_reader.h"
#include "core/io/http_text.h"
#include "core/io/ip_address.h"

namespace berth::io {
namespace {

/// The bytes of a numeric address; an IPv4 one that is written as IPv6 is IPv4. Empty for a name.
std::string address_bytes(const std::string& text) {
  const auto address = ip_address(text, 0);
  if (!address) return {};
  if (address->family() == AF_INET) {
    const auto* four = reinterpret_cast<const sockaddr_in*>(address->get());
    return {reinterpret_cast<const char*>(&four->sin_addr), 4};
  }
  const auto* six = reinterpret_cast<const sockaddr_in6*>(address->get());
  const auto* bytes = reinterpret_cast<const char*>(&six->sin6_addr);
  return IN6_IS_ADDR_V4MAPPED(&six->sin6_addr) ? std::string(bytes + 12, 4) : std::string(bytes, 16);
}

bool in_network(const std::string& host, std::string_view network) {
  const auto slash = network.find('/');
  if (slash == std::string_view::npos) return false;
  const std::string base = address_bytes(std::string(network.substr(0, slash))), address = address_bytes(host);
  const std::string_view digits = network.substr(slash + 1);
  std::size_t bits = 0;
  const auto [end, wrong] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
  if (wrong != std::errc() || end != digits.data() + digits.size()) return false;
  if (address.empty() || base.size() != address.size() || bits > base.size() * 8) return false;
  for (std::size_t bit = 0; bit < bits; ++bit) {
    const int mask = 0x80 >> (bit % 8);
    if ((base[bit / 8] & mask) != (address[bit / 8] & mask)) return false;
  }
  return true;
}

bool matches(const Url& url, std::string entry) {
  if (entry == "*") return true;
  if (entry.find('/') != std::string::npos) return in_network(url.host, entry);
  const std::string bytes = address_bytes(entry);
  if (!bytes.empty()) return bytes == address_bytes(url.host);
  if (const auto colon = entry.rfind(':'); colon != std::string::npos) {
    if (entry.substr(colon + 1) != std::to_string(url.port)) return false;
    entry.erase(colon);
  }
  if (entry.starts_with("*.")) entry.erase(0, 1);
  if (entry.starts_with('.')) entry.erase(0, 1);
  return !entry.empty() && (url.host == entry || url.host.ends_with("." + entry));
}

bool is_excepted(const Url& url, std::string_view list) {
  while (!list.empty()) {
    const auto end = std::min(list.find_first_of(", "), list.size());
    const auto entry = list.substr(0, end);
    if (!entry.empty() && matches(url, lower_case(entry))) return true;
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return false;
}

std::string of_environment(const char* name, const char* other = nullptr) {
  const char* value = std::getenv(name);
  if (value == nullptr && other != nullptr) value = std::getenv(other);
  return value == nullptr ? "" : value;
}

}  // namespace

bool is_loopback(const std::string& host) {
  const std::string bytes = address_bytes(host);
  if (bytes.size() == 4) return bytes[0] == 127;
  if (bytes.size() == 16) return std::memcmp(bytes.data(), &in6addr_loopback, 16) == 0;
  return host == "localhost";
}

std::string basic_authorization(std::string_view user, std::string_view password) {
  const std::string plain = std::string(user) + ":" + std::string(password);
  std::string coded((plain.size() + 2) / 3 * 4 + 1, '\0');
  std::size_t size = 0;
  mbedtls_base64_encode(reinterpret_cast<unsigned char*>(coded.data()), coded.size(), &size, reinterpret_cast<const unsigned char*>(plain.data()),
                        plain.size());
  coded.resize(size);
  return "Basic " + coded;
}

Result<Proxy> parse_proxy(std::string_view text) {
  const auto wrong = [](std::string_view why) {
    return fail(Errc::usage, fmt::format("the proxy {}: write it as http://host:port or http://user:password@host:port", why));
  };
  constexpr std::string_view kScheme = "http://";
  if (text.find("://") != std::string_view::npos && lower_case(text.substr(0, kScheme.size())) != kScheme) return wrong("is not spoken to by plain http");
  if (text.find("://") != std::string_view::npos) text.remove_prefix(kScheme.size());
  Proxy proxy;
  if (const auto at = text.rfind('@'); at != std::string_view::npos) {
    const auto colon = text.find(':');
    if (colon == std::string_view::npos || colon > at) return wrong("has a user without a password");
    const auto user = percent_decode(text.substr(0, colon)), password = percent_decode(text.substr(colon + 1, at - colon - 1));
    if (!user || !password) return wrong("has a user or password that is not percent-encoded properly");
    proxy.authorization = basic_authorization(*user, *password);
    text.remove_prefix(at + 1);
  }
  auto url = parse_url(std::string(kScheme) + std::string(text));
  if (!url || url->target != "/") return wrong("has no proper host and port");
  proxy.at = std::move(*url);
  return proxy;
}

Result<std::optional<Proxy>> proxy_for(const Url& url, const ProxyOptions& options) {
  const std::string& said = url.https ? options.for_https : options.for_http;
  if (said.empty() || is_loopback(url.host) || is_excepted(url, options.except)) return std::nullopt;
  BERTH_TRY(Proxy proxy, parse_proxy(said));
  return proxy;
}

Result<void> ask_for_tunnel(Line& line, const Url& url, const Proxy& proxy) {
  const std::string target = with_port(url.host, url.port);
  std::string head = fmt::format("CONNECT {0} HTTP/1.1\r\nhost: {0}\r\n", target);
  if (!proxy.authorization.empty()) head += fmt::format("proxy-authorization: {}\r\n", proxy.authorization);
  BERTH_CHECK(line.write(head + "\r\n"));

  // The host says nothing before we do, so nothing of what comes is the host's.
  ResponseReader reader({}, true, [](std::string_view) { return Result<void>(); });
  std::string buffer;
  while (!reader.head_done()) {
    BERTH_TRY(const std::size_t got, line.read(&buffer));
    if (got == 0) return fail(Errc::unreachable, proxy.name() + " closed the connection without an answer");
    if (auto taken = reader.take(buffer); !taken) return pass(std::move(taken.error()), proxy.name());
  }
  if (reader.status / 100 != 2)
    return fail(reader.status == 407 ? Errc::permission : Errc::unreachable,
                fmt::format("{} does not connect to {}: {} {}", proxy.name(), target, reader.status, reason_phrase(reader.status)));
  if (!buffer.empty()) return fail(Errc::protocol, proxy.name() + " says more than was asked");
  return {};
}

ProxyOptions proxies_of_environment() {
  return {.for_http = of_environment("http_proxy"),
          .for_https = of_environment("https_proxy", "HTTPS_PROXY"),
          .except = of_environment("no_proxy", "NO_PROXY")};
}

}  // namespace berth::io
