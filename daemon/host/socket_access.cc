#include "daemon/host/socket_access.h"

#include <algorithm>
#include <cerrno>

#include <endian.h>
#include <fmt/core.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <sys/stat.h>
#include <sys/xattr.h>

namespace berth::host {
namespace {

constexpr const char* kAccessList = "system.posix_acl_access";
constexpr std::uint16_t kConnect = 6;  // connecting needs to write

void add(std::string& list, std::uint16_t tag, std::uint16_t rights, std::uint32_t id = ACL_UNDEFINED_ID) {
  const posix_acl_xattr_entry entry{.e_tag = htole16(tag), .e_perm = htole16(rights), .e_id = htole32(id)};
  list.append(reinterpret_cast<const char*>(&entry), sizeof entry);
}

}  // namespace

Result<void> share_socket(const std::filesystem::path& socket, bool its_group, std::vector<gid_t> more) {
  const std::string doing = "let groups connect to " + socket.string();
  if (more.empty()) {
    if (::removexattr(socket.c_str(), kAccessList) != 0 && errno != ENODATA && errno != EOPNOTSUPP) return fail_errno(doing);
    if (::chmod(socket.c_str(), its_group ? 0660 : 0600) != 0) return fail_errno(doing);
    return {};
  }
  std::ranges::sort(more);
  const auto doubles = std::ranges::unique(more);
  more.erase(doubles.begin(), doubles.end());
  const posix_acl_xattr_header header{.a_version = htole32(POSIX_ACL_XATTR_VERSION)};
  std::string list(reinterpret_cast<const char*>(&header), sizeof header);
  add(list, ACL_USER_OBJ, kConnect);
  add(list, ACL_GROUP_OBJ, its_group ? kConnect : 0);
  for (const gid_t group : more) add(list, ACL_GROUP, kConnect, group);
  add(list, ACL_MASK, kConnect);
  add(list, ACL_OTHER, 0);
  if (::setxattr(socket.c_str(), kAccessList, list.data(), list.size(), 0) == 0) return {};
  if (errno == EOPNOTSUPP) return fail(Errc::usage, doing + ": its file system has no access lists (POSIX ACLs): mount it with 'acl', or put [paths] run on a tmpfs");
  return fail_errno(doing);
}

}  // namespace berth::host
