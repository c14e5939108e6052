#include "daemon/keeper/image_root.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/keeper/text.h"

namespace berth::keeper {
namespace {

constexpr unsigned long kHarmless = MS_NOSUID | MS_NODEV;
const char* const kDevices[] = {"null", "zero", "full", "random", "urandom", "tty"};
const char* const kLinks[][2] = {{"/proc/self/fd", "fd"}, {"/proc/self/fd/0", "stdin"}, {"/proc/self/fd/1", "stdout"}, {"/proc/self/fd/2", "stderr"}};

/// A path that leads to an open descriptor, for mount, which takes no descriptors.
struct FdPath {
  explicit FdPath(int fd) { Text(text, sizeof text).add("/proc/self/fd/").number(static_cast<uint64_t>(fd)); }
  char text[40];
};

/// Opens a path of the new root without following symlinks: the root comes from outside, and until it is entered its links lead into the node.
int open_inside(int root, const char* path) {
  int at = fcntl(root, F_DUPFD_CLOEXEC, 3);
  char part[256];
  while (at >= 0 && *path) {
    const char* slash = strchr(path, '/');
    const size_t length = slash != nullptr ? static_cast<size_t>(slash - path) : strlen(path);
    if (length >= sizeof part) {
      close(at);
      return errno = ENAMETOOLONG, -1;
    }
    memcpy(part, path, length);
    part[length] = 0;
    path += length + (slash != nullptr);
    if (length == 0) continue;
    const int next = openat(at, part, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    const int error = errno;
    close(at);
    errno = error;
    at = next;
  }
  return at;
}

bool mount_at(int root, const char* path, const char* type, const char* source, unsigned long flags, const char* options) {
  const int target = open_inside(root, path);
  if (target < 0) return false;
  const bool done = mount(source, FdPath(target).text, type, flags, options) == 0;
  const int error = errno;
  close(target);
  return errno = error, done;
}

/// Makes a mount that was bound read-only or harmless. What the node forbids there stays forbidden.
bool restrict(int mounted, unsigned long flags) {
  struct statvfs about;
  if (fstatvfs(mounted, &about) != 0) return false;
  const unsigned long kept = about.f_flag & (MS_RDONLY | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME);  // the flags of both have the same values
  return mount(nullptr, FdPath(mounted).text, nullptr, MS_REMOUNT | MS_BIND | flags | kept, nullptr) == 0;
}

/// Binds what lies at `source` on the node, whole.
bool bind_at(int root, const char* path, const char* source, unsigned long flags) {
  if (!mount_at(root, path, nullptr, source, MS_BIND | MS_REC, nullptr)) return false;
  const int mounted = open_inside(root, path);
  if (mounted < 0) return false;
  const bool done = restrict(mounted, flags);
  const int error = errno;
  close(mounted);
  return errno = error, done;
}

/// Where a new proc is not allowed, as in some containers, the node's own does.
bool mount_proc(int root) {
  if (mount_at(root, "proc", "proc", "proc", kHarmless | MS_NOEXEC, nullptr)) return true;
  return (errno == EPERM || errno == EACCES) && mount_at(root, "proc", nullptr, "/proc", MS_BIND | MS_REC, nullptr);
}

bool mount_devices(int root) {
  if (!mount_at(root, "dev", "tmpfs", "dev", MS_NOSUID | MS_NOEXEC, "mode=0755,size=64k,nr_inodes=64")) return false;
  const int dev = open_inside(root, "dev");
  if (dev < 0) return false;
  bool done = mkdirat(dev, "shm", 0755) == 0 && mount_at(dev, "shm", "tmpfs", "shm", kHarmless | MS_NOEXEC, "mode=1777");
  for (const char* name : kDevices) {
    char source[32];
    Text(source, sizeof source).add("/dev/").add(name);
    if (!done || access(source, F_OK) != 0) continue;  // a node may have no tty
    const int file = openat(dev, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    done = file >= 0 && mount_at(dev, name, nullptr, source, MS_BIND, nullptr);
    if (file >= 0) close(file);
  }
  for (const auto& link : kLinks) done = done && symlinkat(link[0], dev, link[1]) == 0;
  done = done && mount(nullptr, FdPath(dev).text, nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NOEXEC, nullptr) == 0;
  const int error = errno;
  close(dev);
  return errno = error, done;
}

bool mount_memory(int root, uid_t uid, gid_t gid) {
  char options[80];
  Text(options, sizeof options).add("mode=0755,uid=").number(uid).add(",gid=").number(gid);
  return mount_at(root, "tmp", "tmpfs", "tmp", kHarmless, "mode=1777") && mount_at(root, "run", "tmpfs", "run", kHarmless, options);
}

/// `mount=rw|ro|file PATH`, a newline, the source: a folder to write to, one to read, or a file that need not be there on either side.
bool mount_record(int root, const char* record) {
  const char* path = strchr(record, ' ');
  const char* source = path != nullptr ? strchr(path + 1, '\n') : nullptr;
  char inside[256];
  if (source == nullptr || static_cast<size_t>(source - path) >= sizeof inside) return errno = EINVAL, false;
  Text(inside, sizeof inside).add(path + 1, static_cast<size_t>(source - path - 1));
  const bool writable = strncmp(record, "rw ", 3) == 0, optional = strncmp(record, "file ", 5) == 0;
  if (bind_at(root, inside, source + 1, kHarmless | (writable ? 0 : MS_RDONLY))) return true;
  return optional && (errno == ENOENT || errno == ENOTDIR);
}

/// Makes the folder that the process has as its root, by chroot(2), the root of the whole mount namespace: pivot_root wants a mount to leave.
bool lift_root() {
  const int here = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), ours = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
  // Entering a mount namespace, also the one it is in, takes a process to the root of it (setns(2)).
  if (here < 0 || ours < 0 || setns(ours, CLONE_NEWNS) != 0 || mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return false;
  char path[4096];
  const ssize_t size = readlink(FdPath(here).text, path, sizeof path - 1);
  if (size < 0) return false;
  path[size] = 0;
  // Bound on itself it is a mount, and by its path the upper one of the two is met.
  const bool lifted = mount(path, path, nullptr, MS_BIND | MS_REC, nullptr) == 0 && chdir(path) == 0 && syscall(SYS_pivot_root, ".", ".") == 0 &&
                      umount2(".", MNT_DETACH) == 0 && chdir("/") == 0;
  const int error = errno;
  close(here);
  close(ours);
  return errno = error, lifted;
}

/// What is mounted here stays here. A root that is no mount, as in a chroot, can't be told so.
bool keep_mounts_here() { return mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 || (errno == EINVAL && lift_root()); }

bool fail_at(StartFailure* failure, Stage stage) {
  *failure = {stage, errno};
  return false;
}

}  // namespace

bool leave_mounts() { return unshare(CLONE_NEWNS) == 0 && keep_mounts_here(); }

bool enter_mounts_of(const char* record) {
  char path[64];
  const char* space = strchr(record, ' ');
  if (space == nullptr || space - record > 20) return errno = EINVAL, false;
  Text(path, sizeof path).add("/proc/").add(record, static_cast<size_t>(space - record)).add("/ns/mnt");
  const int mounts = open(path, O_RDONLY | O_CLOEXEC);
  struct stat st;
  if (mounts < 0 || fstat(mounts, &st) != 0) return false;
  const bool same = st.st_ino == static_cast<ino_t>(to_number(space + 1, 0));
  const bool entered = same && setns(mounts, CLONE_NEWNS) == 0;
  const int error = same ? errno : ESRCH;
  close(mounts);
  return errno = error, entered;
}

bool enter_image_root(const char* root, const LaunchFile& launch, uid_t uid, gid_t gid, StartFailure* failure) {
  if (!leave_mounts()) return fail_at(failure, Stage::make_root);
  // A root has to be a mount of its own.
  if (mount(root, root, nullptr, MS_BIND, nullptr) != 0) return fail_at(failure, Stage::make_root);
  const int inside = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (inside < 0) return fail_at(failure, Stage::make_root);
  if (!restrict(inside, MS_RDONLY | kHarmless)) return fail_at(failure, Stage::make_root);

  for (const char* record = launch.begin(); record < launch.end(); record += strlen(record) + 1)
    if (const char* value = value_of(record, "mount"); value != nullptr && !mount_record(inside, value)) return fail_at(failure, Stage::mount_folder);
  if (!mount_devices(inside)) return fail_at(failure, Stage::mount_dev);
  if (!mount_memory(inside, uid, gid)) return fail_at(failure, Stage::mount_memory);
  // Last: the paths of descriptors above lead through the node's own.
  if (!mount_proc(inside)) return fail_at(failure, Stage::mount_proc);

  // The old root comes to lie over the new one, and is taken away (pivot_root(2)).
  if (fchdir(inside) != 0 || syscall(SYS_pivot_root, ".", ".") != 0 || umount2(".", MNT_DETACH) != 0 || chdir("/") != 0)
    return fail_at(failure, Stage::make_root);
  close(inside);
  return true;
}

}  // namespace berth::keeper
