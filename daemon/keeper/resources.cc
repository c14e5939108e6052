#include "daemon/keeper/resources.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "daemon/keeper/big.h"
#include "daemon/keeper/text.h"

namespace berth::keeper {
namespace {

constexpr const char* kOomScore = "/proc/self/oom_score_adj";
BERTH_BIG gid_t groups[kMostGroups];  // touched in the child only: the keeper's own memory stays small

/// A process that may write no core has files below /proc that belong to root, which the root of a container may not be.
int open_oom_score() {
  const int file = open(kOomScore, O_RDWR | O_CLOEXEC);
  if (file >= 0 || errno != EACCES) return file;
  prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
  const int again = open(kOomScore, O_RDWR | O_CLOEXEC);
  const int error = errno;
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  return errno = error, again;
}

/// Writes nothing where it is so already: that may be refused where it cannot be changed.
bool write_oom_score(const char* score) {
  const int file = open_oom_score();
  if (file < 0) return false;
  char now[16] = {};
  const ssize_t size = read(file, now, sizeof now - 1);
  if (size > 0 && now[size - 1] == '\n') now[size - 1] = 0;
  const size_t length = strlen(score);
  const bool done = strcmp(now, score) == 0 || pwrite(file, score, length, 0) == static_cast<ssize_t>(length);
  const int error = errno;
  close(file);
  return errno = error, done;
}

/// The word that `text` begins with; what follows the space behind it.
const char* take_word(const char* text, char* word, size_t room) {
  const char* space = strchr(text, ' ');
  const size_t size = space != nullptr ? static_cast<size_t>(space - text) : strlen(text);
  Text(word, room).add(text, size);
  return text + size + (space != nullptr);
}

rlim_t limit_of(const char* word) { return strcmp(word, "infinity") == 0 ? RLIM_INFINITY : static_cast<rlim_t>(to_number(word, 0)); }

void set_as_far_as_allowed(int resource, rlimit limit) {
  rlimit now;
  if (setrlimit(resource, &limit) == 0 || getrlimit(resource, &now) != 0) return;
  if (limit.rlim_max > now.rlim_max) limit.rlim_max = now.rlim_max;
  if (limit.rlim_cur > limit.rlim_max) limit.rlim_cur = limit.rlim_max;
  (void)setrlimit(resource, &limit);
}

/// "RESOURCE SOFT HARD".
bool set_resource_limit(const char* record) {
  char words[3][24];
  for (auto& word : words) record = take_word(record, word, sizeof word);
  char* mark = strchr(words[0], '?');
  if (mark != nullptr) *mark = 0;
  const int resource = static_cast<int>(to_number(words[0], -1));
  const rlimit limit{limit_of(words[1]), limit_of(words[2])};
  if (mark == nullptr) return setrlimit(resource, &limit) == 0;
  set_as_far_as_allowed(resource, limit);
  return true;
}

}  // namespace

bool set_oom_score(const LaunchFile& launch) {
  for (const char* record = launch.begin(); record < launch.end(); record += strlen(record) + 1)
    if (const char* score = value_of(record, "oom_score_adjust")) return write_oom_score(score);
  (void)write_oom_score("0");
  return true;
}

bool set_groups(const LaunchFile& launch) {
  size_t count = 0;
  for (const char* record = launch.begin(); record < launch.end(); record += strlen(record) + 1) {
    const char* group = value_of(record, "group");
    if (group == nullptr) continue;
    if (count == kMostGroups) return errno = E2BIG, false;
    groups[count++] = static_cast<gid_t>(to_number(group, -1));
  }
  return setgroups(count, groups) == 0;
}

bool set_nice(const LaunchFile& launch) {
  for (const char* record = launch.begin(); record < launch.end(); record += strlen(record) + 1)
    if (const char* nice = value_of(record, "nice")) return setpriority(PRIO_PROCESS, 0, static_cast<int>(to_number(nice, 0))) == 0;
  return true;
}

bool set_resource_limits(const LaunchFile& launch) {
  for (const char* record = launch.begin(); record < launch.end(); record += strlen(record) + 1)
    if (const char* limit = value_of(record, "rlimit"); limit != nullptr && !set_resource_limit(limit)) return false;
  return true;
}

}  // namespace berth::keeper
