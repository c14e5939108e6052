#include "daemon/config/values.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <utility>

#include <arpa/inet.h>
#include <fmt/core.h>

#include "core/ids.h"
#include "core/logs/record_time.h"

namespace berth::config {
namespace {

bool is_address(const std::string& text, int family) {
  unsigned char bytes[sizeof(in6_addr)];
  return ::inet_pton(family, text.c_str(), bytes) == 1;
}

bool is_word(std::string_view text, std::string_view more, std::size_t longest) {
  const auto fits = [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || more.find(c) != std::string_view::npos;
  };
  return !text.empty() && text.size() <= longest && std::ranges::all_of(text, fits);
}

std::string_view without_trailing_slashes(std::string_view text) {
  while (text.size() > 1 && text.back() == '/') text.remove_suffix(1);
  return text;
}

}  // namespace

Result<Listen> parse_listen(std::string_view text) {
  const auto wrong = [&](std::string_view why) {
    return fail(Errc::usage, fmt::format("'{}' {}: give a numeric address and a port, such as '127.0.0.1:9464' or '[::1]:9464'", text, why));
  };
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return wrong("has no port");
  std::string address(text.substr(0, colon));
  const std::string_view digits = text.substr(colon + 1);
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc() || end != digits.data() + digits.size() || port == 0) return wrong("has no port from 1 to 65535");
  if (address.size() >= 2 && address.front() == '[' && address.back() == ']') {
    address = address.substr(1, address.size() - 2);
    if (!is_address(address, AF_INET6)) return wrong("has no IPv6 address in its brackets");
  } else if (!is_address(address, AF_INET)) {
    return wrong(is_address(address, AF_INET6) ? "has an IPv6 address without brackets" : "has no numeric address");
  }
  return Listen{std::move(address), port};
}

std::string to_string(const Listen& listen) {
  const bool six = listen.address.find(':') != std::string::npos;
  return six ? fmt::format("[{}]:{}", listen.address, listen.port) : fmt::format("{}:{}", listen.address, listen.port);
}

bool is_loopback(const Listen& listen) {
  in_addr four{};
  if (::inet_pton(AF_INET, listen.address.c_str(), &four) == 1) return (ntohl(four.s_addr) >> 24) == 127;
  in6_addr six{};
  if (::inet_pton(AF_INET6, listen.address.c_str(), &six) != 1) return false;
  return IN6_IS_ADDR_LOOPBACK(&six) || (IN6_IS_ADDR_V4MAPPED(&six) && six.s6_addr[12] == 127);
}

Result<std::uint64_t> parse_size(std::string_view text) {
  static constexpr std::pair<std::string_view, std::uint64_t> kUnits[] = {
      {"B", 1},           {"kB", 1000},        {"KB", 1000},       {"MB", 1000'000},   {"GB", 1000'000'000},
      {"TB", 1000'000'000'000}, {"KiB", 1u << 10}, {"MiB", 1u << 20}, {"GiB", 1u << 30}, {"TiB", std::uint64_t(1) << 40},
  };
  const auto wrong = [&](std::string_view why) { return fail(Errc::usage, fmt::format("'{}' {}: give a size such as '256MB' or '1GiB'", text, why)); };
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc::result_out_of_range) return wrong("is too large");
  if (error != std::errc()) return wrong("is no size");
  std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  if (!unit.empty() && unit.front() == ' ') unit.remove_prefix(1);
  const auto* found = std::ranges::find(kUnits, unit, &std::pair<std::string_view, std::uint64_t>::first);
  if (found == std::end(kUnits)) return wrong(unit.empty() ? "has no unit" : "has a unit that berthd does not know");
  constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (number > kMost / found->second) return wrong("is too large");
  return number * found->second;
}

Result<std::chrono::milliseconds> parse_period(std::string_view text) {
  BERTH_TRY(const auto period, logs::parse_span(text));
  if (period >= std::chrono::seconds(1) && period <= std::chrono::days(365)) return period;
  return fail(Errc::usage, fmt::format("'{}' is not from '1s' to '365d'", text));
}

Result<std::chrono::milliseconds> parse_interval(std::string_view text) {
  BERTH_TRY(const auto interval, logs::parse_span(text));
  if (interval >= std::chrono::seconds(1) && interval <= std::chrono::hours(24)) return interval;
  return fail(Errc::usage, fmt::format("'{}' is not from '1s' to '24h'", text));
}

Result<std::filesystem::path> parse_path(std::string_view text, std::size_t longest) {
  const std::filesystem::path path(without_trailing_slashes(text));
  if (text.find('\0') != std::string_view::npos) return fail(Errc::usage, "the path has a NUL in it");
  if (!path.is_absolute()) return fail(Errc::usage, fmt::format("'{}' is not an absolute path", text));
  if (path.lexically_normal().native() != path.native()) return fail(Errc::usage, fmt::format("'{}' has '.', '..' or '//' in it: give the plain path", text));
  if (path.native().size() > longest)
    return fail(Errc::usage, fmt::format("'{}' has {} bytes, {} at most are possible here", text, path.native().size(), longest));
  return path;
}

Result<std::string> parse_url(std::string_view text) {
  const auto separator = text.find("://");
  const std::string_view scheme = separator == std::string_view::npos ? "" : text.substr(0, separator);
  const std::string_view rest = separator == std::string_view::npos ? "" : text.substr(separator + 3);
  const auto strange = [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == '\x7f'; };
  if (scheme != "http" && scheme != "https" && scheme != "file")
    return fail(Errc::usage, fmt::format("'{}' is no URL with http://, https:// or file://", text));
  if (std::ranges::any_of(text, strange)) return fail(Errc::usage, "the URL has a space or a control character in it");
  if (scheme == "file") {
    BERTH_TRY(const auto path, parse_path(rest));
    return "file://" + path.string();
  }
  const std::string_view host = rest.substr(0, rest.find('/'));
  if (host.find('@') != std::string_view::npos)
    return fail(Errc::usage, "the URL has a user or password in it, which would be shown in status and logs: use token, user and password, or a certificate");
  if (host.empty()) return fail(Errc::usage, fmt::format("'{}' names no host", text));
  if (rest.find_first_of("?#") != std::string_view::npos)
    return fail(Errc::usage, fmt::format("'{}' has a query or fragment: give the folder that holds 'metadata' and 'targets'", text));
  return std::string(without_trailing_slashes(text));
}

Result<std::string> parse_reference(std::string_view text) {
  for (const std::string_view kind : {"file:/", "credential:", "env:", "command:/"})
    if (text.starts_with(kind) && text.size() > kind.size()) return std::string(text);
  // Not quoted: it may be the secret itself.
  return fail(Errc::usage, "it is no reference to a secret: give file:/path, credential:NAME, env:NAME or command:/program");
}

Result<std::string> parse_proxy(std::string_view text) {
  if (text.empty()) return std::string();
  if (text.find('@') != std::string_view::npos)
    return fail(Errc::usage, "a proxy's user and password do not belong here: give the whole address to berthd by its environment (https_proxy)");
  BERTH_TRY(std::string url, parse_url(text));
  if (!url.starts_with("http://") || url.find('/', 7) != std::string::npos)
    return fail(Errc::usage, fmt::format("'{}' is no proxy's address: give one such as 'http://proxy.example.org:3128'", text));
  return url;
}

Result<LogLevel> parse_level(std::string_view text) {
  static constexpr std::pair<std::string_view, LogLevel> kLevels[] = {
      {"trace", LogLevel::trace}, {"debug", LogLevel::debug}, {"info", LogLevel::info}, {"warning", LogLevel::warning}, {"error", LogLevel::error}};
  for (const auto& [name, level] : kLevels)
    if (text == name) return level;
  return fail(Errc::usage, fmt::format("'{}' is none of trace, debug, info, warning, error", text));
}

bool is_node_name(std::string_view text) { return is_release_id(text); }

bool is_group_name(std::string_view text) {
  return is_word(text, "_-", 32) && text.front() != '-' && !(text.front() >= '0' && text.front() <= '9');
}

bool is_label(std::string_view text) { return is_word(text, "_-", 63); }

}  // namespace berth::config
