#include <algorithm>

#include <fmt/core.h>

#include "daemon/api/caller.h"

namespace berth::api {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

/// DNS names are the same in either case.
bool is_same_dns(std::string_view a, std::string_view b) { return std::ranges::equal(a, b, {}, lower, lower); }

/// "*.example.org" fits whatever has one more label in front (RFC 6125, 6.4.3). A certificate for a wildcard is nobody's by it.
bool dns_fits(std::string_view pattern, std::string_view name) {
  if (name.find('*') != std::string_view::npos) return false;
  if (!pattern.starts_with("*.")) return is_same_dns(pattern, name);
  const auto dot = name.find('.');
  return dot != std::string_view::npos && dot > 0 && is_same_dns(pattern.substr(1), name.substr(dot));
}

/// The name of the certificate that `pattern` fits.
const std::string* fitting_name(const io::VerifiedNames& names, std::string_view pattern) {
  const bool is_uri = pattern.find("://") != std::string_view::npos, is_email = !is_uri && pattern.find('@') != std::string_view::npos;
  const auto& candidates = is_uri ? names.uris : is_email ? names.emails : names.dns;
  const auto found = std::ranges::find_if(candidates, [&](const std::string& name) { return is_uri || is_email ? name == pattern : dns_fits(pattern, name); });
  return found == candidates.end() ? nullptr : &*found;
}

std::string first_name(const io::VerifiedNames& names) {
  for (const auto* list : {&names.dns, &names.uris, &names.emails})
    if (!list->empty()) return list->front();
  return "somebody without a name";
}

}  // namespace

std::string_view to_string(Role role) {
  switch (role) {
    case Role::anybody: return "anybody";
    case Role::viewer: return "viewer";
    case Role::deployer: return "deployer";
    case Role::operator_: return "operator";
    case Role::admin: return "admin";
  }
  return "anybody";
}

bool Caller::sees(std::string_view app) const { return apps.empty() || std::ranges::find(apps, app) != apps.end(); }

Caller identify_client(const io::Peer& peer, const std::vector<Client>& clients) {
  const io::VerifiedNames names = peer.names.value_or(io::VerifiedNames());
  for (const Client& client : clients)
    if (const std::string* name = fitting_name(names, client.name))
      return {.name = fmt::format("{} (certificate, from {})", *name, peer.address), .role = client.role, .apps = client.apps, .on_node = false};
  return {.name = fmt::format("{} (certificate, from {})", first_name(names), peer.address), .role = Role::anybody, .apps = {}, .on_node = false};
}

}  // namespace berth::api
