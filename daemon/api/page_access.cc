#include "daemon/api/page_access.h"

#include <algorithm>
#include <charconv>
#include <string_view>

#include <arpa/inet.h>
#include <fmt/core.h>

namespace berth::api {
namespace {

constexpr std::size_t kLongestShown = 100;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool is_same_name(std::string_view one, std::string_view other) { return std::ranges::equal(one, other, {}, lower, lower); }

bool is_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size();
}

bool is_address(int family, const std::string& text) {
  in6_addr room{};
  return ::inet_pton(family, text.c_str(), &room) == 1;
}

/// Without its port; nothing where it is no host and port.
std::optional<std::string> name_in(std::string_view host) {
  const bool bracketed = host.starts_with('[');
  const auto end = bracketed ? host.find(']') : std::min(host.find(':'), host.size());
  if (end == std::string_view::npos) return {};
  const std::string_view rest = host.substr(bracketed ? end + 1 : end);
  if (!rest.empty() && (rest.front() != ':' || !is_port(rest.substr(1)))) return {};
  std::string name(bracketed ? host.substr(1, end - 1) : host.substr(0, end));
  if (bracketed && !is_address(AF_INET6, name)) return {};
  return name;
}

}  // namespace

std::optional<Error> host_complaint(const PageAccess& access, const io::Headers& headers, std::string_view what) {
  const auto host = headers.find("host");
  const std::string said = host == headers.end() ? std::string() : host->second;
  const auto name = name_in(said);
  if (name && !name->empty()) {
    if (is_same_name(*name, "localhost") || is_address(AF_INET, *name) || is_address(AF_INET6, *name)) return {};
    if (std::ranges::any_of(access.names, [&name](const std::string& one) { return is_same_name(one, *name); })) return {};
  }
  return Error{Errc::permission, fmt::format("{} is not at the host '{}': ask by a numeric address, by localhost, or by the name of this host", what, said.substr(0, kLongestShown))};
}

}  // namespace berth::api
