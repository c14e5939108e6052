#include "daemon/api/caller.h"

#include <algorithm>
#include <cerrno>
#include <vector>

#include <fmt/core.h>
#include <grp.h>
#include <pwd.h>

namespace berth::api {
namespace {

constexpr std::size_t kMostRecord = 1u << 20;

std::optional<std::string> name_of_user(uid_t uid) {
  std::vector<char> buffer(1024);
  for (;;) {
    passwd record{};
    passwd* found = nullptr;
    const int error = ::getpwuid_r(uid, &record, buffer.data(), buffer.size(), &found);
    if (error == ERANGE && buffer.size() < kMostRecord) {
      buffer.resize(buffer.size() * 4);
      continue;
    }
    if (found == nullptr) return {};
    return record.pw_name;
  }
}

}  // namespace

Caller identify(const io::Peer& peer, const std::vector<Group>& groups) {
  const auto user = name_of_user(peer.uid);
  Caller caller;
  caller.name = user ? fmt::format("{} (uid {})", *user, peer.uid) : fmt::format("uid {}", peer.uid);
  if (peer.uid == 0) caller.role = Role::admin;
  if (peer.uid == 0 || peer.uid == static_cast<uid_t>(-1)) return caller;
  const auto is_in = [&peer](const Group& group) {
    if (group.number == static_cast<gid_t>(-1)) return false;
    return peer.gid == group.number || std::ranges::find(peer.groups, group.number) != peer.groups.end();
  };
  const auto its = std::ranges::find_if(groups, is_in);
  if (its == groups.end()) return caller;
  caller.role = its->role;
  caller.apps = its->apps;
  return caller;
}

std::optional<gid_t> group_named(const std::string& name) {
  std::vector<char> buffer(1024);
  for (;;) {
    group record{};
    group* found = nullptr;
    const int error = ::getgrnam_r(name.c_str(), &record, buffer.data(), buffer.size(), &found);
    if (error == ERANGE && buffer.size() < kMostRecord) {
      buffer.resize(buffer.size() * 4);
      continue;
    }
    if (found == nullptr) return {};
    return record.gr_gid;
  }
}

}  // namespace berth::api
