#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "daemon/keeper/big.h"
#include "daemon/keeper/capabilities.h"
#include "daemon/keeper/image_root.h"
#include "daemon/keeper/launch.h"
#include "daemon/keeper/resources.h"
#include "daemon/keeper/sandbox.h"
#include "daemon/keeper/text.h"

namespace berth::keeper {
namespace {

constexpr int kMostArguments = 4096;
constexpr int kFirstSocket = 3;   // as sd_listen_fds has it
constexpr int kOutOfTheWay = 100; // above everything that is put in its place

// Touched in the child only: the keeper's own memory stays small.
BERTH_BIG char* arguments[kMostArguments + 1];
BERTH_BIG char* environment[kMostArguments + 1];
int argument_count, environment_count;
char listen_pid[32];

[[noreturn]] void give_up(int failure, Stage stage, int error) {
  const StartFailure report{stage, error};
  (void)!write(failure, &report, sizeof report);
  _exit(127);
}

bool add(char** list, int* count, const char* value) {
  if (*count == kMostArguments) return false;
  list[(*count)++] = const_cast<char*>(value);
  return true;
}

/// Puts the descriptors where the app expects them, and closes all others.
bool arrange_files(const ChildFiles& files, int* failure) {
  const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  int from[kMostSockets + 3] = {files.in >= 0 ? files.in : null, files.out, files.err};
  for (int i = 0; i < files.socket_count; i++) from[kFirstSocket + i] = files.sockets[i];
  const int count = kFirstSocket + files.socket_count;
  *failure = fcntl(*failure, F_DUPFD_CLOEXEC, kOutOfTheWay);
  if (null < 0 || *failure < 0) return false;
  for (int i = 0; i < count; i++) {
    if ((from[i] = fcntl(from[i], F_DUPFD_CLOEXEC, kOutOfTheWay)) < 0) return false;
  }
  for (int i = 0; i < count; i++) {
    if (dup2(from[i], i) < 0) return false;
  }
  if (dup3(*failure, count, O_CLOEXEC) < 0) return false;
  *failure = count;
  return syscall(SYS_close_range, count + 1, ~0u, 0) == 0;
}

bool join(const char* cgroup) {
  char path[400];
  Text(path, sizeof path).add(cgroup).add("/cgroup.procs");
  const int procs = open(path, O_WRONLY | O_CLOEXEC);
  return procs >= 0 && write(procs, "0", 1) == 1 && close(procs) == 0;
}

/// "FILE VALUE". A file that is not there belongs to a controller that this node does not have: berthd tells so.
bool set_cgroup_value(const char* cgroup, const char* record) {
  char path[400];
  const char* space = strchr(record, ' ');
  if (space == nullptr) return errno = EINVAL, false;
  Text(path, sizeof path).add(cgroup).add("/").add(record, static_cast<size_t>(space - record));
  const int file = open(path, O_WRONLY | O_CLOEXEC);
  if (file < 0) return errno == ENOENT;
  const size_t size = strlen(space + 1);
  const bool done = write(file, space + 1, size) == static_cast<ssize_t>(size);
  const int error = errno;
  close(file);
  return errno = error, done;
}

bool set_limits(const char* cgroup, const LaunchFile& launch) {
  for (const char* record = launch.begin(); record < launch.end(); record += strlen(record) + 1)
    if (const char* value = value_of(record, "cgroup_value"); value != nullptr && !set_cgroup_value(cgroup, value)) return false;
  return true;
}

/// So that the app can open /dev/stdout, as servers do that reopen their logs by name. Of what a client gave, only pipes without a name are changed, and
/// the terminal that was made for the app: a file is its owner's, and so is a terminal that somebody sits at.
void own_output(int fd, const ChildFiles& files, uid_t uid, gid_t gid) {
  constexpr long kPipes = 0x50495045;  // PIPEFS_MAGIC
  constexpr unsigned kFirstTerminal = 136, kLastTerminal = 143;  // majors of /dev/pts
  struct stat st;
  struct statfs where;
  if (files.attached != Attached::no) {
    if (fstat(fd, &st) != 0 || fstatfs(fd, &where) != 0) return;
    const bool terminal = S_ISCHR(st.st_mode) && major(st.st_rdev) >= kFirstTerminal && major(st.st_rdev) <= kLastTerminal;
    const bool pipe = S_ISFIFO(st.st_mode) && static_cast<long>(where.f_type) == kPipes;
    if (!pipe && !(terminal && files.attached == Attached::terminal)) return;
  }
  (void)!fchown(fd, uid, gid);
}

void reset_signals() {
  for (int number = 1; number < 65; number++) signal(number, SIG_DFL);  // SIGKILL and SIGSTOP refuse: fine
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

}  // namespace

void become_app(const ChildFiles& files, const char* cgroup) {
  int failure = files.failure;
  setsid();

  const LaunchFile launch(files.launch);
  if (!launch.good()) give_up(failure, Stage::read_launch, EINVAL);
  const char* directory = "/";
  const char *root = nullptr, *seen = nullptr;
  uid_t uid = 0;
  gid_t gid = 0;
  bool privileged = false, bound = false;
  uint64_t bounding = kEveryCapability, ambient = 0;
  mode_t mask = 022;
  for (const char* record = launch.begin(); record < launch.end(); record += strlen(record) + 1) {
    bool fits = true;
    if (const char* argument = value_of(record, "arg")) fits = add(arguments, &argument_count, argument);
    if (const char* variable = value_of(record, "env")) fits = add(environment, &environment_count, variable);
    if (value_of(record, "listen_pid") != nullptr) {
      Text(listen_pid, sizeof listen_pid).add("LISTEN_PID=").number(static_cast<uint64_t>(getpid()));
      fits = add(environment, &environment_count, listen_pid);
    }
    if (const char* value = value_of(record, "directory")) directory = value;
    if (const char* value = value_of(record, "root")) root = value;
    if (const char* value = value_of(record, "sees")) seen = value;
    if (const char* value = value_of(record, "uid")) uid = static_cast<uid_t>(to_number(value, -1));
    if (const char* value = value_of(record, "gid")) gid = static_cast<gid_t>(to_number(value, -1));
    if (const char* value = value_of(record, "umask")) mask = static_cast<mode_t>(to_number(value, 022));
    if (const char* value = value_of(record, "bounding")) bounding = static_cast<uint64_t>(to_number(value, -1));
    if (const char* value = value_of(record, "ambient")) ambient = static_cast<uint64_t>(to_number(value, 0));
    if (const char* value = value_of(record, "may_gain_privileges")) privileged = *value == '1';
    if (value_of(record, "bound") != nullptr) bound = true;
    if (!fits) give_up(failure, Stage::read_launch, E2BIG);
  }
  if (argument_count == 0) give_up(failure, Stage::read_launch, EINVAL);

  if (*cgroup && !set_limits(cgroup, launch)) give_up(failure, Stage::set_limits, errno);
  if (*cgroup && !join(cgroup)) give_up(failure, Stage::join_cgroup, errno);
  if (!set_oom_score(launch) || !set_nice(launch)) give_up(failure, Stage::set_resources, errno);
  own_output(files.out, files, uid, gid);
  own_output(files.err, files, uid, gid);
  if (!arrange_files(files, &failure)) give_up(failure, Stage::pass_sockets, errno);
  if (files.attached == Attached::terminal && ioctl(0, TIOCSCTTY, 0) != 0) give_up(failure, Stage::take_terminal, errno);
  StartFailure broken{};
  if (seen != nullptr && !enter_mounts_of(seen)) give_up(failure, Stage::see_mounts, errno);
  if (seen == nullptr && root != nullptr && !enter_image_root(root, launch, uid, gid, &broken)) give_up(failure, broken.stage, broken.error);
  if (seen == nullptr && root == nullptr && !enter_sandbox(launch, &broken)) give_up(failure, broken.stage, broken.error);
  if (!set_resource_limits(launch)) give_up(failure, Stage::set_resources, errno);  // descriptors are where they are to be
  if (geteuid() == 0 && !set_groups(launch)) give_up(failure, Stage::set_user, errno);
  if (geteuid() == 0 && !bound_capabilities(bounding, ambient)) give_up(failure, Stage::drop_capabilities, errno);
  if (setresgid(gid, gid, gid) != 0 || setresuid(uid, uid, uid) != 0) give_up(failure, Stage::set_user, errno);
  if (ambient != 0 && !give_capabilities(ambient)) give_up(failure, Stage::drop_capabilities, errno);
  if (!privileged && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) give_up(failure, Stage::set_user, errno);
  // Becoming another user ends what was said of this before.
  if (bound && (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 || getppid() != files.keeper)) give_up(failure, Stage::set_user, errno);
  umask(mask);
  if (chdir(directory) != 0) give_up(failure, Stage::enter_directory, errno);
  reset_signals();
  if (!filter_calls(launch)) give_up(failure, Stage::filter_calls, errno);
  execve(arguments[0], arguments, environment);
  give_up(failure, Stage::execute, errno);
}

}  // namespace berth::keeper
