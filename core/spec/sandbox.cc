#include "core/spec/sandbox.h"

#include <algorithm>

#include <fmt/core.h>
#include <sys/socket.h>

#include "core/json/json.h"
#include "core/spec/capabilities.h"
#include "core/spec/rules.h"
#include "core/spec/toml_table.h"

namespace berth::spec {
namespace {

constexpr std::size_t kMostPaths = 64, kLongestSandboxPath = 240, kMostGroups = 64;
constexpr std::array<std::string_view, 4> kSystems{"no", "yes", "full", "strict"}, kHomes{"no", "yes", "read-only", "tmpfs"};

struct Family {
  std::string_view word;
  int number;
};
constexpr Family kFamilies[] = {{"AF_UNIX", AF_UNIX},     {"AF_INET", AF_INET},         {"AF_INET6", AF_INET6},     {"AF_NETLINK", AF_NETLINK},
                                {"AF_PACKET", AF_PACKET}, {"AF_VSOCK", AF_VSOCK},       {"AF_ALG", AF_ALG},         {"AF_BLUETOOTH", AF_BLUETOOTH},
                                {"AF_CAN", AF_CAN},       {"AF_KEY", AF_KEY},           {"AF_QIPCRTR", AF_QIPCRTR}, {"AF_TIPC", AF_TIPC},
                                {"AF_XDP", AF_XDP}};

std::vector<std::string> family_words() {
  std::vector<std::string> words;
  for (const Family& family : kFamilies) words.emplace_back(family.word);
  return words;
}

/// true or false, or one of `words` behind the first two, which are these.
template <class Protection>
void read_protection(TomlTable& table, std::string_view key, std::span<const std::string_view> words, Protection& to) {
  if (table.has_boolean(key)) to = static_cast<Protection>(table.boolean(key).value_or(false) ? 1 : 0);
  else if (const auto place = table.choice(key, words)) to = static_cast<Protection>(*place);
}

/// "0027" → 027.
std::optional<int> parse_umask(std::string_view text) {
  int mask = 0;
  for (const char digit : text) {
    if (digit < '0' || digit > '7' || mask > 0777) return std::nullopt;
    mask = mask * 8 + (digit - '0');
  }
  return text.empty() || mask > 0777 ? std::nullopt : std::optional(mask);
}

std::string umask_text(int mask) { return fmt::format("{:04o}", mask); }

boost::json::array texts_of(const std::vector<std::string>& texts) { return boost::json::array(texts.begin(), texts.end()); }

std::vector<std::string> texts_in(json::ObjectReader& reader, std::string_view name, bool may_be_empty = false) {
  std::vector<std::string> out;
  for (const json::value& item : reader.list(name)) {
    if (const auto* text = item.if_string()) out.emplace_back(*text);
    else reader.complain(fmt::format("member '{}' is not a list of strings", name));
  }
  if (out.empty() && !may_be_empty) reader.complain(fmt::format("member '{}' says nothing, and is not written then", name));
  return out;
}

/// A member that is there only where it says something else than the first of `words`.
template <class Protection>
void take_protection(json::ObjectReader& reader, std::string_view name, std::span<const std::string_view> words, Protection& to) {
  if (reader.maybe(name) == nullptr) return;
  const std::string text = reader.string(name);
  const auto found = std::ranges::find(words.subspan(1), text);
  if (found == words.subspan(1).end()) reader.complain(fmt::format("member '{}' is '{}', which is not known", name, text));
  else to = static_cast<Protection>(1 + (found - words.subspan(1).begin()));
}

void take_flag(json::ObjectReader& reader, std::string_view name, bool& to) {
  if (reader.maybe(name) == nullptr) return;
  to = reader.boolean_or(name, false);
  if (!to) reader.complain(fmt::format("member '{}' is false, which is not written", name));
}

/// An absolute path in its only form; '-' in front is no part of it.
bool is_sandbox_path(std::string_view path) {
  if (path.starts_with('-')) path.remove_prefix(1);
  if (!path.starts_with('/') || path.size() > kLongestSandboxPath || !is_plain(path)) return false;
  if (path == "/") return true;
  for (std::size_t at = 0; at < path.size();) {
    const std::size_t end = std::min(path.find('/', at + 1), path.size());
    const std::string_view part = path.substr(at + 1, end - at - 1);
    if (part.empty() || part == "." || part == "..") return false;
    at = end;
  }
  return true;
}

void check_capabilities(const std::vector<std::string>& words, std::string_view key, const Complaints& complaints) {
  for (const std::string& word : words) {
    if (capability(word)) continue;
    const auto meant = nearest(word, capability_words());
    complaints.add(std::string(key), fmt::format("has '{}', which is no capability{}", word, meant ? fmt::format(" (did you mean '{}'?)", *meant) : ", such as CAP_NET_BIND_SERVICE"));
  }
}

void check_paths(const std::vector<std::string>& paths, std::string_view key, bool may_be_root, const Complaints& complaints) {
  if (paths.size() > kMostPaths) complaints.add(std::string(key), fmt::format("has more than {} paths", kMostPaths));
  for (const std::string& path : paths) {
    if (!is_sandbox_path(path))
      complaints.add(std::string(key), fmt::format("has '{}': a path begins with '/', without '..' and without a '/' at its end, {} bytes at most", path,
                                                   kLongestSandboxPath));
    else if (!may_be_root && (path == "/" || path == "-/")) complaints.add(std::string(key), "has '/', without which nothing runs");
  }
}

}  // namespace

bool Sandbox::any() const {
  static const Sandbox kNone;
  return *this != kNone;
}

bool Sandbox::of_paths() const {
  return protect_system != System::no || protect_home != Home::no || private_tmp || private_devices || !read_only_paths.empty() || !read_write_paths.empty() ||
         !inaccessible_paths.empty();
}

namespace {

/// The first of its words that is about paths; there is one.
std::string word_of_paths(const Sandbox& sandbox) {
  if (sandbox.protect_system != Sandbox::System::no) return std::string(kProtectSystem);
  if (sandbox.protect_home != Sandbox::Home::no) return std::string(kProtectHome);
  if (sandbox.private_tmp) return std::string(kPrivateTmp);
  if (!sandbox.read_only_paths.empty()) return std::string(kReadOnlyPaths);
  return std::string(sandbox.read_write_paths.empty() ? kInaccessiblePaths : kReadWritePaths);
}

}  // namespace

std::optional<int> address_family(std::string_view word) {
  const auto found = std::ranges::find(kFamilies, word, &Family::word);
  return found == std::end(kFamilies) ? std::nullopt : std::optional(found->number);
}

Sandbox read_sandbox(TomlTable table) {
  Sandbox sandbox;
  read_protection(table, kProtectSystem, kSystems, sandbox.protect_system);
  read_protection(table, kProtectHome, kHomes, sandbox.protect_home);
  assign(sandbox.private_tmp, table.boolean(kPrivateTmp));
  assign(sandbox.read_only_paths, table.strings(kReadOnlyPaths));
  assign(sandbox.read_write_paths, table.strings(kReadWritePaths));
  assign(sandbox.inaccessible_paths, table.strings(kInaccessiblePaths));
  assign(sandbox.restrict_address_families, table.strings(kRestrictAddressFamilies));
  assign(sandbox.memory_deny_write_execute, table.boolean(kMemoryDenyWriteExecute));
  assign(sandbox.no_new_privileges, table.boolean(kNoNewPrivileges));
  assign(sandbox.private_devices, table.boolean(kPrivateDevices));
  if (table.has(kCapabilityBoundingSet)) sandbox.capability_bounding_set = table.strings(kCapabilityBoundingSet).value_or(std::vector<std::string>());
  assign(sandbox.ambient_capabilities, table.strings(kAmbientCapabilities));
  assign(sandbox.supplementary_groups, table.strings(kSupplementaryGroups));
  if (const auto text = table.string(kUMask)) {
    sandbox.umask = parse_umask(*text);
    if (!sandbox.umask) table.complain(kUMask, "is wrong: octal digits are meant, such as \"0027\"");
  }
  if (table.has(kRestrictAddressFamilies) && sandbox.restrict_address_families.empty())
    table.complain(kRestrictAddressFamilies, "has no family: an app without any socket would not be reached; leave it out for all of them");
  table.done();
  return sandbox;
}

boost::json::value sandbox_json(const Sandbox& sandbox) {
  boost::json::object out;
  if (sandbox.protect_system != Sandbox::System::no) out[kProtectSystem] = kSystems[static_cast<std::size_t>(sandbox.protect_system)];
  if (sandbox.protect_home != Sandbox::Home::no) out[kProtectHome] = kHomes[static_cast<std::size_t>(sandbox.protect_home)];
  const std::pair<std::string_view, bool> flags[] = {{kPrivateTmp, sandbox.private_tmp}, {kMemoryDenyWriteExecute, sandbox.memory_deny_write_execute},
                                                     {kNoNewPrivileges, sandbox.no_new_privileges}, {kPrivateDevices, sandbox.private_devices}};
  for (const auto& [word, said] : flags)
    if (said) out[word] = true;
  const std::pair<std::string_view, const std::vector<std::string>*> lists[] = {{kReadOnlyPaths, &sandbox.read_only_paths},
                                                                                {kReadWritePaths, &sandbox.read_write_paths},
                                                                                {kInaccessiblePaths, &sandbox.inaccessible_paths},
                                                                                {kRestrictAddressFamilies, &sandbox.restrict_address_families},
                                                                                {kAmbientCapabilities, &sandbox.ambient_capabilities},
                                                                                {kSupplementaryGroups, &sandbox.supplementary_groups}};
  for (const auto& [word, texts] : lists)
    if (!texts->empty()) out[word] = texts_of(*texts);
  if (sandbox.capability_bounding_set) out[kCapabilityBoundingSet] = texts_of(*sandbox.capability_bounding_set);
  if (sandbox.umask) out[kUMask] = umask_text(*sandbox.umask);
  return out;
}

Result<Sandbox> sandbox_from(const boost::json::value& json, const std::string& where) {
  json::ObjectReader reader(json, where);
  Sandbox sandbox;
  take_protection(reader, kProtectSystem, kSystems, sandbox.protect_system);
  take_protection(reader, kProtectHome, kHomes, sandbox.protect_home);
  take_flag(reader, kPrivateTmp, sandbox.private_tmp);
  take_flag(reader, kMemoryDenyWriteExecute, sandbox.memory_deny_write_execute);
  take_flag(reader, kNoNewPrivileges, sandbox.no_new_privileges);
  take_flag(reader, kPrivateDevices, sandbox.private_devices);
  const auto take_list = [&reader](std::string_view name, std::vector<std::string>& to) {
    if (reader.maybe(name) != nullptr) to = texts_in(reader, name);
  };
  take_list(kReadOnlyPaths, sandbox.read_only_paths);
  take_list(kReadWritePaths, sandbox.read_write_paths);
  take_list(kInaccessiblePaths, sandbox.inaccessible_paths);
  take_list(kRestrictAddressFamilies, sandbox.restrict_address_families);
  take_list(kAmbientCapabilities, sandbox.ambient_capabilities);
  take_list(kSupplementaryGroups, sandbox.supplementary_groups);
  if (reader.maybe(kCapabilityBoundingSet) != nullptr) sandbox.capability_bounding_set = texts_in(reader, kCapabilityBoundingSet, true);
  if (reader.maybe(kUMask) != nullptr) {
    const std::string text = reader.string(kUMask);
    sandbox.umask = parse_umask(text);
    if (!sandbox.umask || umask_text(*sandbox.umask) != text) reader.complain(fmt::format("member '{}': '{}' is not four octal digits", kUMask, text));
  }
  if (!sandbox.any()) reader.complain("says nothing, and is not written then");
  BERTH_CHECK(reader.done());
  return sandbox;
}

std::vector<std::string> groups_of_hooks(const AppSpec& spec) {
  if (spec.processes.empty()) return {};
  std::vector<std::string> groups = spec.processes.begin()->second.sandbox.supplementary_groups;
  for (const auto& [name, process] : spec.processes) {
    const auto& its = process.sandbox.supplementary_groups;
    std::erase_if(groups, [&its](const std::string& group) { return std::ranges::find(its, group) == its.end(); });
  }
  return groups;
}

void check_sandbox(const Process& process, const Complaints& complaints) {
  const Sandbox& sandbox = process.sandbox;
  check_paths(sandbox.read_only_paths, kReadOnlyPaths, true, complaints);
  check_paths(sandbox.read_write_paths, kReadWritePaths, true, complaints);
  check_paths(sandbox.inaccessible_paths, kInaccessiblePaths, false, complaints);
  if (sandbox.umask && (*sandbox.umask < 0 || *sandbox.umask > 0777)) complaints.add(std::string(kUMask), "must be from 0000 to 0777");
  for (const std::string& word : sandbox.restrict_address_families) {
    if (address_family(word)) continue;
    const auto meant = nearest(word, family_words());
    complaints.add(std::string(kRestrictAddressFamilies), fmt::format("has '{}', which is no address family that is known here{}", word,
                                                                      meant ? fmt::format(" (did you mean '{}'?)", *meant) : ", such as AF_INET"));
  }
  if (sandbox.supplementary_groups.size() > kMostGroups) complaints.add(std::string(kSupplementaryGroups), fmt::format("has more than {} groups", kMostGroups));
  for (const std::string& group : sandbox.supplementary_groups)
    if (!is_user_name(group)) complaints.add(std::string(kSupplementaryGroups), fmt::format("has '{}', which is no group's name: a-z, 0-9, _ and -, at most 32", group));
  check_capabilities(sandbox.ambient_capabilities, kAmbientCapabilities, complaints);
  if (sandbox.capability_bounding_set) check_capabilities(*sandbox.capability_bounding_set, kCapabilityBoundingSet, complaints);
  if (const std::uint64_t out_of_reach = capability_mask(sandbox.ambient_capabilities) & ~bounding_set(sandbox, false); out_of_reach != 0)
    complaints.add(std::string(kAmbientCapabilities), "has one that CapabilityBoundingSet leaves out, or PrivateDevices takes (CAP_MKNOD, CAP_SYS_RAWIO): it could not be given");
  if (process.root == Root::image && sandbox.of_paths())
    complaints.add(word_of_paths(sandbox), "is about paths of the node, of which a process with root = \"image\" sees none; leave it out");
}

}  // namespace berth::spec
