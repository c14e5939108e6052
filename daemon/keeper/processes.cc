#include "daemon/keeper/processes.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/keeper/text.h"

namespace berth::keeper {
namespace {

/// Reads a small file whole; the number of bytes, NUL after them.
size_t read_file(const char* path, char* to, size_t room) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return to[0] = 0, 0;
  const ssize_t n = read(fd, to, room - 1);
  close(fd);
  const size_t size = n > 0 ? static_cast<size_t>(n) : 0;
  to[size] = 0;
  return size;
}

bool write_file(const char* path, const char* text) {
  const int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const size_t size = strlen(text);
  const bool done = write(fd, text, size) == static_cast<ssize_t>(size);
  close(fd);
  return done;
}

/// A process by its descriptor, which never means another one.
int open_process(int pid) { return static_cast<int>(syscall(SYS_pidfd_open, pid, 0)); }

/// Sends it, and closes the descriptor. Where none was to be had for a reason of this process's own, such as too many, the number has to do.
void signal_opened(int process, int pid, int signal) {
  if (process < 0) return (void)kill(pid, signal);
  syscall(SYS_pidfd_send_signal, process, signal, nullptr, 0);
  close(process);
}

/// Sends `signal` to a process that `is_meant`, which is looked at twice: what has its number by now may be somebody else's. Whether there was one.
template <class Meant>
bool signal_if(int pid, int signal, Meant is_meant) {
  if (!is_meant(pid)) return false;
  if (signal == 0) return true;
  const int process = open_process(pid);
  if (process < 0 && errno == ESRCH) return false;
  if (is_meant(pid)) return signal_opened(process, pid, signal), true;
  if (process >= 0) close(process);
  return false;
}

/// Where the kernel lists children (CONFIG_PROC_CHILDREN).
bool signal_listed_children(int signal) {
  char path[64];
  Text(path, sizeof path).add("/proc/self/task/").number(static_cast<uint64_t>(getpid())).add("/children");
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  char buffer[512];
  pid_t pid = 0;
  ssize_t n;
  while ((n = read(fd, buffer, sizeof buffer)) > 0) {
    for (ssize_t i = 0; i < n; i++) {
      if (buffer[i] >= '0' && buffer[i] <= '9') {
        pid = pid * 10 + (buffer[i] - '0');
      } else if (pid > 0) {
        kill(pid, signal);
        pid = 0;
      }
    }
  }
  close(fd);
  return true;
}

/// A directory's entry as getdents64 gives it.
struct Entry {
  uint64_t inode;
  int64_t offset;
  uint16_t size;
  uint8_t type;
  char name[];
};

/// Calls `take` with the name of each entry of a folder, until it returns false.
template <class Take>
void each_name(const char* folder, Take take) {
  const int listed = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (listed < 0) return;
  alignas(Entry) char buffer[1024];
  long n;
  bool more = true;
  while (more && (n = syscall(SYS_getdents64, listed, buffer, sizeof buffer)) > 0) {
    for (long at = 0; more && at < n;) {
      const Entry* entry = reinterpret_cast<const Entry*>(buffer + at);
      at += entry->size;
      more = take(entry->name);
    }
  }
  close(listed);
}

template <class Take>
void each_process(Take take) {
  each_name("/proc", [&take](const char* name) {
    const int64_t pid = to_number(name, 0);
    if (pid > 0) take(static_cast<int>(pid));
    return true;
  });
}

/// What /proc/PID/stat says behind the name, which may have anything in it: state, parent, group, session.
struct Stat {
  char state = 0;  ///< 0: there is no such process
  int parent = 0, session = 0;
};
Stat stat_of(int pid) {
  char path[64], text[512];
  Text(path, sizeof path).add("/proc/").number(static_cast<uint64_t>(pid)).add("/stat");
  if (read_file(path, text, sizeof text) == 0) return {};
  const char* after = strrchr(text, ')');
  if (after == nullptr || strlen(after) < 5) return {};
  Stat stat{.state = after[2]};
  const char* p = after + 4;
  const auto number = [&p] {
    int value = 0;
    for (; *p >= '0' && *p <= '9'; p++) value = value * 10 + (*p - '0');
    if (*p == ' ') p++;
    return value;
  };
  stat.parent = number();
  number();  // the group
  stat.session = number();
  return stat;
}

/// Elsewhere: every process that names this one as its parent.
void signal_found_children(int signal) {
  each_process([signal](int pid) {
    if (stat_of(pid).parent == getpid()) kill(pid, signal);
  });
}

/// Whether the process has a write end of one of the pipes.
bool writes_to(int pid, const uint64_t pipes[2]) {
  char folder[64], names[2][40];
  for (int i = 0; i < 2; i++) Text(names[i], sizeof names[i]).add("pipe:[").number(pipes[i]).add("]");
  Text(folder, sizeof folder).add("/proc/").number(static_cast<uint64_t>(pid)).add("/fd");
  bool found = false;
  each_name(folder, [&](const char* name) {
    char path[96], target[40];
    struct stat link;
    Text(path, sizeof path).add(folder).add("/").add(name);
    // The link's own mode says how the file is open. The file itself is not asked: it may be on a disk that does not answer.
    if (*name == '.' || lstat(path, &link) != 0 || (link.st_mode & S_IWUSR) == 0) return true;
    const ssize_t size = readlink(path, target, sizeof target - 1);
    if (size <= 0) return true;
    target[size] = 0;
    found = strcmp(target, names[0]) == 0 || strcmp(target, names[1]) == 0;
    return !found;
  });
  return found;
}

/// Every process that a cgroup lists.
template <class Take>
void each_of_cgroup(const char* cgroup, Take take) {
  char path[400], buffer[512];
  Text(path, sizeof path).add(cgroup).add("/cgroup.procs");
  const int fd = *cgroup != 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (fd < 0) return;
  int pid = 0;
  ssize_t n;
  while ((n = read(fd, buffer, sizeof buffer)) > 0) {
    for (ssize_t i = 0; i < n; i++) {
      if (buffer[i] >= '0' && buffer[i] <= '9') pid = pid * 10 + (buffer[i] - '0');
      else if (pid > 0) take(pid), pid = 0;
    }
  }
  close(fd);
}

/// Sends `signal` to every process of a cgroup: to as many at a time as are looked up again, once they are held, by one reading. How many there were.
int signal_cgroup(const char* cgroup, int signal) {
  constexpr int kHeld = 64;
  struct {
    int pid, process;
    bool still;
  } held[kHeld];
  int count = 0, all = 0;
  const auto send = [&] {
    each_of_cgroup(cgroup, [&](int pid) {
      for (int i = 0; i < count; i++) held[i].still = held[i].still || held[i].pid == pid;
    });
    for (int i = 0; i < count; i++) {
      if (held[i].still) signal_opened(held[i].process, held[i].pid, signal);
      else if (held[i].process >= 0) close(held[i].process);
    }
    count = 0;
  };
  each_of_cgroup(cgroup, [&](int pid) {
    all++;
    if (signal == 0) return;
    const int process = open_process(pid);
    if (process < 0 && errno == ESRCH) return;
    held[count++] = {pid, process, false};
    if (count == kHeld) send();
  });
  if (count > 0) send();
  return all;
}

/// Field 22 of /proc/PID/stat, as it is written there.
bool copy_start(int pid, char* to, size_t room) {
  char path[64], stat[1024];
  Text(path, sizeof path).add("/proc/").number(static_cast<uint64_t>(pid)).add("/stat");
  read_file(path, stat, sizeof stat);
  const char* field = strrchr(stat, ')');  // the second field, a name that may contain anything
  for (int i = 2; field != nullptr && i < 22; i++) field = strchr(field + 1, ' ');
  if (field == nullptr) return false;
  Text(to, room).add(field + 1, strcspn(field + 1, " "));
  return true;
}

}  // namespace

/// A child's number is its own until this process has waited for it.
void signal_children(int signal) {
  if (!signal_listed_children(signal)) signal_found_children(signal);
}

void signal_descendants(int signal) {
  siginfo_t none;
  if (waitid(P_ALL, 0, &none, WEXITED | WNOHANG | WNOWAIT) != 0) return;  // it has no child at all
  each_process([signal](int pid) { signal_if(pid, signal, [](int it) { return descends_from(it, getpid()); }); });
}

bool descends_from(int pid, int ancestor) {
  constexpr int kDeepest = 64;
  for (int i = 0; i < kDeepest && pid > 1; i++) {
    if (pid == ancestor) return i > 0;
    pid = stat_of(pid).parent;
  }
  return false;
}

uint64_t start_of(int pid) {
  char text[24];
  return copy_start(pid, text, sizeof text) ? static_cast<uint64_t>(to_number(text, 0)) : 0;
}

int signal_strangers(const Strangers& strangers, int signal) {
  int living = signal_cgroup(strangers.cgroup, signal);
  const auto is_one = [&strangers](int pid) {
    const Stat stat = stat_of(pid);
    if (stat.state == 0 || stat.state == 'Z' || stat.state == 'X') return false;
    return stat.session == strangers.session || writes_to(pid, strangers.pipes);
  };
  each_process([&](int pid) {
    if (pid != getpid() && signal_if(pid, signal, is_one)) living++;
  });
  return living;
}

void kill_cgroup(const char* cgroup) {
  if (*cgroup == 0) return;
  char path[400];
  Text(path, sizeof path).add(cgroup).add("/cgroup.kill");
  write_file(path, "1");
}

unsigned long oom_kills(const char* cgroup) {
  if (*cgroup == 0) return 0;
  char path[400], events[512];
  Text(path, sizeof path).add(cgroup).add("/memory.events");
  read_file(path, events, sizeof events);
  const char* line = strstr(events, "\noom_kill ");
  unsigned long count = 0;
  if (line == nullptr) return 0;
  for (const char* p = line + 10; *p >= '0' && *p <= '9'; p++) count = count * 10 + static_cast<unsigned long>(*p - '0');
  return count;
}

void write_app_file(const char* socket, int pid, const char* cgroup) {
  char path[256], start[24], line[400];
  if (!copy_start(pid, start, sizeof start)) return;
  Text text(line, sizeof line);
  text.number(static_cast<uint64_t>(pid)).add(" ").add(start).add(" ").add(cgroup).add("\n");
  Text(path, sizeof path).add(socket).add(".app");
  const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return;
  const ssize_t written = pwrite(fd, line, text.size(), 0);
  if (written > 0) (void)!ftruncate(fd, written);
  close(fd);
}

void remove_app_file(const char* socket) {
  char path[256];
  Text(path, sizeof path).add(socket).add(".app");
  unlink(path);
}

bool split_own_cgroup(char* app, size_t room) {
  char own[512], path[512];
  if (read_file("/proc/self/cgroup", own, sizeof own) == 0) return false;
  const char* line = strncmp(own, "0::", 3) == 0 ? own : strstr(own, "\n0::");
  if (line == nullptr) return false;
  const char* below = strchr(line, '/');
  const char* below_end = below != nullptr ? strchr(below, '\n') : nullptr;
  if (below_end == nullptr || below_end - below < 2) return false;  // never the root of the tree
  const size_t length = static_cast<size_t>(below_end - below);

  const char* mounts[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
  for (const char* mount : mounts) {
    const auto leaf = [&](const char* name) { Text(path, sizeof path).add(mount).add(below, length).add(name); };
    leaf("/keeper");
    if (mkdir(path, 0755) != 0 && access(path, X_OK) != 0) continue;
    leaf("/keeper/cgroup.procs");
    if (!write_file(path, "0")) continue;
    const char* controllers[] = {"+memory", "+pids", "+cpu", "+io"};
    leaf("/cgroup.subtree_control");
    for (const char* controller : controllers) write_file(path, controller);
    leaf("/app");
    if (mkdir(path, 0755) != 0 && access(path, X_OK) != 0) return false;
    Text(app, room).add(path);
    return true;
  }
  return false;
}

}  // namespace berth::keeper
