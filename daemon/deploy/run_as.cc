#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <vector>

#include <fmt/core.h>
#include <grp.h>
#include <pwd.h>

#include "daemon/deploy/instance_plan.h"

namespace berth::deploy {
namespace {

constexpr std::size_t kMostEntry = 1u << 20;  // bytes; directory services may answer at length

/// As initgroups(3) has them, its own among them.
std::vector<gid_t> groups_of_user(const std::string& user, gid_t own) {
  std::vector<gid_t> groups(64);
  for (;;) {
    int count = static_cast<int>(groups.size());
    const bool fit = ::getgrouplist(user.c_str(), own, groups.data(), &count) >= 0;
    if (!fit && count <= static_cast<int>(groups.size())) return {own};
    groups.resize(static_cast<std::size_t>(count));
    if (fit) return groups;
  }
}

/// Looks an entry up by a function such as getpwnam_r, with room for it in `text`. Some services tell that there is none by an error.
template <class Entry>
int look_up(int (*get)(const char*, Entry*, char*, std::size_t, Entry**), const std::string& name, Entry& entry, std::vector<char>& text, Entry*& found) {
  text.resize(4096);
  int number = get(name.c_str(), &entry, text.data(), text.size(), &found);
  while (number == ERANGE && text.size() < kMostEntry) {
    text.resize(text.size() * 2);
    number = get(name.c_str(), &entry, text.data(), text.size(), &found);
  }
  return number == ENOENT || number == ESRCH || number == EBADF || number == EPERM ? 0 : number;
}

}  // namespace

Result<RunAs> run_as(const NodeFacts& node, const bundle::Manifest& manifest, int app_uid) {
  BERTH_CHECK(check_policy(node.policy, manifest));
  const std::string& user = manifest.spec.user;
  if (user.empty()) {
    if (app_uid < 0) return fail(Errc::internal, fmt::format("{} has no user of its own yet", manifest.app));
    return RunAs{.uid = static_cast<uid_t>(app_uid), .gid = static_cast<gid_t>(app_uid)};
  }

  passwd entry{};
  passwd* found = nullptr;
  std::vector<char> text;
  const int number = look_up(::getpwnam_r, user, entry, text, found);
  if (found != nullptr) return RunAs{.uid = found->pw_uid, .gid = found->pw_gid, .groups = groups_of_user(user, found->pw_gid)};
  if (number != 0) return fail_errno(fmt::format("{}@{}: look user '{}' up", manifest.app, manifest.release, user), number);
  return fail(Errc::usage, fmt::format("{}@{}: this node has no user '{}': make it, or leave `user` out of berth.toml for a user of the app's own",
                                       manifest.app, manifest.release, user));
}

Result<std::vector<gid_t>> groups_of(const RunAs& who, const std::vector<std::string>& names) {
  std::vector<gid_t> groups = who.groups;
  for (const std::string& name : names) {
    group entry{};
    group* found = nullptr;
    std::vector<char> text;
    const int number = look_up(::getgrnam_r, name, entry, text, found);
    if (number != 0) return fail_errno(fmt::format("look group '{}' up", name), number);
    if (found == nullptr) return fail(Errc::usage, fmt::format("this node has no group '{}', which SupplementaryGroups of its sandbox names: make it, or leave it out", name));
    if (std::ranges::find(groups, found->gr_gid) == groups.end()) groups.push_back(found->gr_gid);
  }
  return groups;
}

}  // namespace berth::deploy
