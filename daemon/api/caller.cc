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
constexpr int kMostGroups = 65536;  // NGROUPS_MAX

/// The name of a user and its primary group.
struct User {
  std::string name;
  gid_t group = 0;
};

std::optional<User> user_of(uid_t uid) {
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
    return User{record.pw_name, record.pw_gid};
  }
}

bool in_group(const User& user, gid_t group) {
  std::vector<gid_t> groups(64);
  for (;;) {
    int count = static_cast<int>(groups.size());
    if (::getgrouplist(user.name.c_str(), user.group, groups.data(), &count) >= 0) {
      groups.resize(static_cast<std::size_t>(count));
      return std::ranges::find(groups, group) != groups.end();
    }
    if (count <= static_cast<int>(groups.size()) || count > kMostGroups) return false;
    groups.resize(static_cast<std::size_t>(count));
  }
}

}  // namespace

Caller identify(const io::Peer& peer, std::optional<gid_t> group) {
  const auto user = user_of(peer.uid);
  Caller caller;
  caller.name = user ? fmt::format("{} (uid {})", user->name, peer.uid) : fmt::format("uid {}", peer.uid);
  if (peer.uid == 0) caller.role = Role::admin;
  if (peer.uid == 0 || !group || peer.uid == static_cast<uid_t>(-1)) return caller;
  if (peer.gid == *group || (user && in_group(*user, *group))) caller.role = Role::admin;
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
