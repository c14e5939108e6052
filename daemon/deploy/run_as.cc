#include <cerrno>
#include <cstddef>
#include <vector>

#include <fmt/core.h>
#include <pwd.h>

#include "daemon/deploy/instance_plan.h"

namespace berth::deploy {
namespace {

constexpr std::size_t kMostUserEntry = 1u << 20;  // bytes; directory services may answer at length

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
  std::vector<char> text(4096);
  int number = ::getpwnam_r(user.c_str(), &entry, text.data(), text.size(), &found);
  while (number == ERANGE && text.size() < kMostUserEntry) {
    text.resize(text.size() * 2);
    number = ::getpwnam_r(user.c_str(), &entry, text.data(), text.size(), &found);
  }
  if (found != nullptr) return RunAs{.uid = found->pw_uid, .gid = found->pw_gid};
  // Some services tell "no such user" by an error of these.
  const bool unknown = number == 0 || number == ENOENT || number == ESRCH || number == EBADF || number == EPERM;
  if (!unknown) return fail_errno(fmt::format("{}@{}: look user '{}' up", manifest.app, manifest.release, user), number);
  return fail(Errc::usage, fmt::format("{}@{}: this node has no user '{}': make it, or leave `user` out of berth.toml for a user of the app's own",
                                       manifest.app, manifest.release, user));
}

}  // namespace berth::deploy
