#include "daemon/config/api.h"

#include <algorithm>

#include <fmt/core.h>

#include "core/ids.h"
#include "daemon/config/values.h"

namespace berth::config {
namespace {

constexpr std::size_t kMostClients = 256;
constexpr std::size_t kLongestClientName = 1000;

bool is_dns_label(std::string_view label) {
  const auto fits = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_'; };
  return !label.empty() && label.size() <= 63 && std::ranges::all_of(label, fits);
}

/// "ci.example.org", "*.ci.example.org"; an address is none.
bool is_dns_pattern(std::string_view text) {
  if (text.starts_with("*.")) text.remove_prefix(2);
  std::string_view last;
  while (true) {
    const auto dot = text.find('.');
    last = text.substr(0, dot);
    if (!is_dns_label(last)) return false;
    if (dot == std::string_view::npos) break;
    text.remove_prefix(dot + 1);
  }
  return !std::ranges::all_of(last, [](char c) { return c >= '0' && c <= '9'; });
}

Result<std::string> parse_client_name(const std::string& text) {
  const bool plain = text.size() <= kLongestClientName && std::ranges::all_of(text, [](char c) { return c > ' ' && c < '\x7f'; });
  const auto scheme = text.find("://"), at = text.find('@');
  const bool is_uri = scheme != std::string::npos && scheme > 0 && scheme + 3 < text.size() && text.find('*') == std::string::npos;
  const bool is_email = scheme == std::string::npos && at != std::string::npos && at > 0 && at + 1 < text.size() && text.find('*') == std::string::npos;
  if (plain && (is_uri || is_email || is_dns_pattern(text))) return text;
  return fail(Errc::usage, fmt::format("'{}' is no name that a certificate has among its subject alternative names: give a DNS name, such as \"ci.example.org\" or, for one label, "
                                       "\"*.ci.example.org\", a URI, such as \"spiffe://example.org/ci\", or an e-mail address", text));
}

Result<ClientRole> parse_role(const std::string& text) {
  if (text == "viewer") return ClientRole::viewer;
  if (text == "deployer") return ClientRole::deployer;
  if (text == "operator") return ClientRole::operator_;
  if (text == "admin") return ClientRole::admin;
  return fail(Errc::usage, fmt::format("'{}' is none of viewer, deployer, operator, admin", text));
}

/// `role` and `apps` of a `[[table]]`.
void read_rights(Section& section, std::string_view table, ClientRole& role, std::vector<std::string>& apps) {
  section.read("role", role, parse_role);
  for (const std::string& app : section.strings("apps")) {
    if (!is_name(app)) section.complain("apps", fmt::format("apps: '{}' is no name of an app", app));
    apps.push_back(app);
  }
  if (!section.has("role")) section.complain("role", fmt::format("{} has no 'role': give one of viewer, deployer, operator, admin", table));
  if (section.has("apps") && apps.empty()) section.complain("apps", "apps: it names none; leave it out for all of them");
  if (section.has("apps") && role == ClientRole::admin)
    section.complain("apps", "apps: an admin is one of the whole node; make it an operator, or leave 'apps' out");
}

void read_client(Section& section, ApiClient& client) {
  section.read("name", client.name, parse_client_name);
  if (!section.has("name")) section.complain("name", "[[api.client]] has no 'name': say which one of a certificate's subject alternative names this is for");
  read_rights(section, "[[api.client]]", client.role, client.apps);
}

void read_group(Section& section, ApiGroup& group) {
  section.read("group", group.group, [](const std::string& text) -> Result<std::string> {
    if (is_group_name(text)) return text;
    return fail(Errc::usage, fmt::format("'{}' is no name for a group", text));
  });
  if (!section.has("group")) section.complain("group", "[[api.local]] has no 'group': say which group of this node it is for");
  read_rights(section, "[[api.local]]", group.role, group.apps);
}

void read_groups(Document& document, Config& config) {
  const std::size_t count = document.count("api.local");
  for (std::size_t i = 0; i < count; ++i) {
    Section section = document.element("api.local", i);
    ApiGroup group;
    read_group(section, group);
    if (i == kMostClients) section.complain("group", fmt::format("more than {} groups", kMostClients));
    if (!group.group.empty() && group.group == config.group)
      section.complain("group", fmt::format("group: members of '{}' may do everything already, by [api] group; give that another group, or \"\" for none", group.group));
    if (!group.group.empty() && std::ranges::find(config.groups, group.group, &ApiGroup::group) != config.groups.end())
      section.complain("group", fmt::format("group: '{}' is there twice; one group has one role", group.group));
    config.groups.push_back(std::move(group));
  }
}

void read_clients(Document& document, Config& config) {
  const std::size_t count = document.count("api.client");
  for (std::size_t i = 0; i < count; ++i) {
    Section section = document.element("api.client", i);
    ApiClient client;
    read_client(section, client);
    if (i == 0 && !config.remote) section.complain("name", "[[api.client]] is for [api] with a 'listen', which is missing");
    if (i == kMostClients) section.complain("name", fmt::format("more than {} clients", kMostClients));
    if (!client.name.empty() && std::ranges::find(config.clients, client.name, &ApiClient::name) != config.clients.end())
      section.complain("name", fmt::format("name: there are two clients '{}'; one has one role", client.name));
    config.clients.push_back(std::move(client));
  }
}

/// `listen` and what it needs.
void read_listener(Section& section, Config& config) {
  RemoteApi remote;
  bool listens = false;
  section.read("listen", remote.listen, [&](const std::string& text) -> Result<Listen> {
    listens = !text.empty();
    return listens ? parse_listen(text) : Result<Listen>();
  });
  const std::pair<const char*, fs::path*> files[] = {{"certificate_file", &remote.files.certificate_file}, {"key_file", &remote.files.key_file}, {"client_ca_file", &remote.files.client_ca_file}};
  for (const auto& [key, path] : files) {
    section.read(key, *path, [](const std::string& text) { return parse_path(text); });
    if (listens && !section.has(key))
      section.complain("listen", fmt::format("[api] with 'listen' needs '{}': clients are known by their certificates, and know this node by its own", key));
    if (!listens && section.has(key)) section.complain(key, fmt::format("{} is for [api] with a 'listen', which is missing", key));
  }
  section.read("client_crl_file", remote.files.client_crl_file, [](const std::string& text) { return parse_path(text); });
  if (!listens && section.has("client_crl_file")) section.complain("client_crl_file", "client_crl_file is for [api] with a 'listen', which is missing");
  if (listens) config.remote = std::move(remote);
}

}  // namespace

void read_api(Document& document, Config& config) {
  Section section = document.section("api");
  section.table("client");
  section.table("local");
  section.read("group", config.group, [](const std::string& text) -> Result<std::string> {
    if (text.empty() || is_group_name(text)) return text;
    return fail(Errc::usage, fmt::format("'{}' is no name for a group", text));
  });
  read_listener(section, config);
  read_clients(document, config);
  read_groups(document, config);
  if (config.remote && config.clients.empty() && document.count("api.client") == 0)
    section.complain("listen", "[api] has a 'listen' and no [[api.client]]: nobody could use it; add one with a name and a role");
}

}  // namespace berth::config
