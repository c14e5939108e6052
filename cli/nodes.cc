#include "cli/nodes.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <ranges>
#include <utility>

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/files/files.h"
#include "core/io/ip_address.h"
#include "core/io/url.h"
#include "core/spec/toml.h"

namespace berth::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostBytes = 1u << 20;
constexpr const char* kGroups = "group";  ///< the table that has lists of nodes in the place of one
constexpr const char* kFiles[] = {"ca_file", "certificate_file", "key_file"};

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

fs::path nodes_file() {
  if (const std::string folder = variable("XDG_CONFIG_HOME"); folder.starts_with('/')) return fs::path(folder) / "berth/nodes.toml";
  const std::string home = variable("HOME");
  return home.empty() ? fs::path() : fs::path(home) / ".config/berth/nodes.toml";
}

/// The file's tables; one that is not there has none.
Result<toml::table> read_nodes(const fs::path& file) {
  if (file.empty()) return toml::table();
  const auto text = files::read(file, kMostBytes);
  if (!text && text.error().code == Errc::not_found) return toml::table();
  if (!text) return pass(text.error());
  BERTH_TRY(auto root, spec::parse_toml_text(*text, file.string()));
  return root;
}

/// Beside the file where it is relative; "~/" is the home folder.
std::string whole_path(const std::string& path, const fs::path& beside) {
  if (path.empty()) return path;
  if (path.starts_with("~/")) return (fs::path(variable("HOME")) / path.substr(2)).string();
  return (beside / path).lexically_normal().string();
}

/// Puts what a table says of files into `node`.
Result<void> take_files(const toml::table& table, const std::string& where, const fs::path& file, RemoteNode& node, bool may_have_tables) {
  std::map<std::pair<toml::source_index, toml::source_index>, std::string> complaints;  // by line and column
  for (const auto& [key, value] : table) {
    if (may_have_tables && value.is_table()) continue;
    const auto& at = key.source().begin;
    const auto complain = [&](const std::string& what) { complaints[{at.line, at.column}] = fmt::format("{}:{}:{}: {}{}", file.string(), at.line, at.column, what, where); };
    const auto known = std::ranges::find(kFiles, key.str());
    if (known == std::end(kFiles) && (may_have_tables || key.str() != "address")) {
      complain(fmt::format("unknown key '{}': {}ca_file, certificate_file and key_file are known", key.str(), may_have_tables ? "" : "address, "));
    } else if (!value.is_string()) {
      complain(fmt::format("'{}' is not a string: put it into quotes", key.str()));
    } else if (known != std::end(kFiles)) {
      std::string* const into[] = {&node.ca_file, &node.certificate_file, &node.key_file};
      *into[known - std::begin(kFiles)] = whole_path(value.as_string()->get(), file.parent_path());
    }
  }
  if (!complaints.empty()) return fail(Errc::usage, fmt::format("{}", fmt::join(complaints | std::views::values, "\n")));
  return {};
}

/// HOST[:PORT].
Result<void> take_address(const std::string& address, RemoteNode& node) {
  if (const auto numeric = io::ip_address(address, 0); numeric && numeric->family() == AF_INET6 && !address.starts_with('['))
    return fail(Errc::usage, fmt::format("--node {0}: an IPv6 address stands in brackets, with or without a port: [{1}]", node.name, address));
  const auto url = io::parse_url("https://" + address);
  if (!url || url->target != "/" || address.ends_with('/')) return fail(Errc::usage, fmt::format("--node {}: '{}' is no address such as edge-1.example.org or 10.0.0.7:{}", node.name, address, kNodePort));
  node.host = url->host;
  node.port = url->port == 443 && !address.ends_with(":443") ? kNodePort : url->port;
  return {};
}

/// A key that others can read is as good as theirs.
Result<void> check_files(const RemoteNode& node, const fs::path& file) {
  if (node.certificate_file.empty() || node.key_file.empty())
    return fail(Errc::usage, fmt::format("--node {}: berthd wants a certificate: say certificate_file and key_file in {}, or by $BERTH_CERTIFICATE_FILE and $BERTH_KEY_FILE", node.name,
                                         file.string()));
  struct stat about{};
  if (::stat(node.key_file.c_str(), &about) == 0 && (about.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    return fail(Errc::permission, fmt::format("--node {}: the key {} can be read by others than its owner: chmod 600 {}", node.name, node.key_file, node.key_file));
  return {};
}

/// The names of lists in [group].
std::vector<std::string> group_names(const toml::table& root) {
  std::vector<std::string> names;
  if (const auto* groups = root[kGroups].as_table())
    for (const auto& [key, value] : *groups) names.emplace_back(key.str());
  return names;
}

/// The nodes that one word names: those of a group, or the one.
Result<std::vector<std::string>> members_of(const std::string& said, const toml::table& root, const fs::path& file) {
  const auto* groups = root[kGroups].as_table();
  const toml::node* group = groups == nullptr ? nullptr : groups->get(said);
  if (group == nullptr) return std::vector{said};
  const auto complain = [&](const toml::node& at, const std::string& what) {
    return fail(Errc::usage, fmt::format("{}:{}:{}: '{}' in [{}] {}", file.string(), at.source().begin.line, at.source().begin.column, said, kGroups, what));
  };
  if (root.contains(said)) return complain(*group, fmt::format("is also a node, [{0}]: give one of them another name", said));
  const auto* list = group->as_array();
  if (list == nullptr || list->empty()) return complain(*group, fmt::format("is no list of nodes: write {} = [\"edge-1\", \"edge-2\"]", said));
  std::vector<std::string> members;
  for (const toml::node& one : *list) {
    const auto* name = one.as_string();
    if (name == nullptr) return complain(one, "has something in it that is no name of a node in quotes");
    if (groups->contains(name->get())) return complain(one, fmt::format("has {} in it, which is a group: name its nodes", name->get()));
    members.push_back(name->get());
  }
  return members;
}

/// That a name is not among those of the file, which it has; empty where it has none.
std::string unlisted_text(const std::string& said, const toml::table& root, const fs::path& file) {
  std::vector<std::string> names;
  for (const auto& [key, value] : root)
    if (value.is_table() && key.str() != kGroups) names.push_back(fmt::format("[{}]", key.str()));
  for (const std::string& group : group_names(root)) names.push_back(fmt::format("the group {}", group));
  return names.empty() ? "" : fmt::format("{} has no [{}], but {}", file.string(), said, fmt::join(names, ", "));
}

/// The name or host that is said, and its port with the colon before it; of an IPv6 address that is in brackets alone.
std::pair<std::string, std::string> parts_of(const std::string& said) {
  const auto colon = said.find(':');
  if (said.starts_with('[') || colon == std::string::npos || said.find(':', colon + 1) != std::string::npos) return {said, ""};
  return {said.substr(0, colon), said.substr(colon)};
}

Result<RemoteNode> find_node(const std::string& said, const toml::table& root, const fs::path& file) {
  RemoteNode node{.name = said, .host = {}, .ca_file = {}, .certificate_file = {}, .key_file = {}};
  BERTH_CHECK(take_files(root, "", file, node, true));
  const auto [name, port] = root.contains(said) ? std::pair(said, std::string()) : parts_of(said);
  if (const auto* table = root[name].as_table()) {
    BERTH_CHECK(take_files(*table, fmt::format(" in [{}]", name), file, node, false));
    if (!port.empty()) BERTH_CHECK(take_address(said, node));  // the port, or what is wrong with it
    const auto its_port = node.port;
    BERTH_CHECK(take_address((*table)["address"].value_or(name), node));
    if (!port.empty()) node.port = its_port;
  } else {
    BERTH_CHECK(take_address(said, node));
    if (!io::ip_address(node.host, 0)) node.unlisted = unlisted_text(name, root, file);
  }
  const std::pair<const char*, std::string*> variables[] = {{"BERTH_CA_FILE", &node.ca_file}, {"BERTH_CERTIFICATE_FILE", &node.certificate_file}, {"BERTH_KEY_FILE", &node.key_file}};
  for (const auto& [which, into] : variables)
    if (std::string value = variable(which); !value.empty()) *into = std::move(value);
  BERTH_CHECK(check_files(node, file));
  return node;
}

}  // namespace

Result<std::vector<std::string>> named_nodes(const std::vector<std::string>& said) {
  const fs::path file = nodes_file();
  BERTH_TRY(const toml::table root, read_nodes(file));
  std::vector<std::string> names;
  for (const std::string& one : said) {
    if (std::ranges::count(said, one) > 1) return fail(Errc::usage, fmt::format("--node {}: it is named twice", one));
    BERTH_TRY(const auto members, members_of(one, root, file));
    for (const std::string& name : members)
      if (std::ranges::find(names, name) == names.end()) names.push_back(name);
  }
  return names;
}

Result<std::vector<RemoteNode>> find_nodes(const std::vector<std::string>& said) {
  const fs::path file = nodes_file();
  BERTH_TRY(const toml::table root, read_nodes(file));
  BERTH_TRY(const auto names, named_nodes(said));
  std::vector<RemoteNode> nodes;
  for (const std::string& name : names) {
    BERTH_TRY(RemoteNode node, find_node(name, root, file));
    nodes.push_back(std::move(node));
  }
  return nodes;
}

Result<void> check_readable(const RemoteNode& node) {
  const std::pair<const char*, const std::string&> files[] = {{"ca_file", node.ca_file}, {"certificate_file", node.certificate_file}, {"key_file", node.key_file}};
  for (const auto& [key, file] : files)
    if (!file.empty() && ::access(file.c_str(), R_OK) != 0) return fail(Errc::usage, fmt::format("--node {}: its {}, {}: {}", node.name, key, file, std::strerror(errno)));
  return {};
}

std::vector<std::string> known_nodes() {
  std::vector<std::string> names;
  const auto root = read_nodes(nodes_file());
  if (!root) return names;
  for (const auto& [key, value] : *root)
    if (value.is_table() && key.str() != kGroups) names.emplace_back(key.str());
  for (std::string& group : group_names(*root)) names.push_back(std::move(group));
  return names;
}

std::vector<std::string> nodes_of_environment() {
  std::vector<std::string> nodes;
  const std::string all = variable("BERTH_NODE");
  for (std::size_t at = 0; at < all.size();) {
    const std::size_t end = std::min(all.find_first_of(" ,", at), all.size());
    if (end > at) nodes.push_back(all.substr(at, end - at));
    at = end + 1;
  }
  return nodes;
}

}  // namespace berth::cli
