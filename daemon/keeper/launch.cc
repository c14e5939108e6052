#include "daemon/keeper/launch.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "daemon/keeper/text.h"

namespace berth::keeper {

LaunchFile::LaunchFile(int fd) {
  constexpr int kSeals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW;
  struct stat st;
  if ((fcntl(fd, F_GET_SEALS) & kSeals) != kSeals || fstat(fd, &st) != 0) return;
  if (st.st_size <= 0 || static_cast<size_t>(st.st_size) > kMostLaunch) return;
  size_ = static_cast<size_t>(st.st_size);
  void* mapped = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  if (mapped == MAP_FAILED) return;
  bytes_ = static_cast<char*>(mapped);
  if (bytes_[size_ - 1] != 0) {
    munmap(bytes_, size_);
    bytes_ = nullptr;
  }
}

LaunchFile::~LaunchFile() {
  if (bytes_ != nullptr) munmap(bytes_, size_);
}

const char* value_of(const char* record, const char* key) {
  const size_t length = strlen(key);
  return strncmp(record, key, length) == 0 && record[length] == '=' ? record + length + 1 : nullptr;
}

namespace {

/// What may stand in a line's tag: a word that fits.
bool is_tag(const char* text) {
  size_t size = 0;
  for (; text[size] != 0; size++)
    if (text[size] <= ' ' || text[size] > '~') return false;
  return size < sizeof LaunchRules::log_tag;
}

}  // namespace

bool read_rules(int fd, LaunchRules* rules) {
  const LaunchFile file(fd);
  if (!file.good()) return false;
  *rules = LaunchRules{};
  rules->digest = digest(file.begin(), file.size());
  for (const char* record = file.begin(); record < file.end(); record += strlen(record) + 1) {
    const auto number = [record](const char* key, auto* to) {
      const char* value = value_of(record, key);
      if (value != nullptr) *to = static_cast<decltype(+*to)>(to_number(value, static_cast<int64_t>(*to)));
    };
    if (const char* id = value_of(record, "id")) Text(rules->id, sizeof rules->id).add(id);
    if (const char* cgroup = value_of(record, "cgroup")) Text(rules->cgroup, sizeof rules->cgroup).add(cgroup);
    if (const char* tag = value_of(record, "log_tag"); tag != nullptr && is_tag(tag)) Text(rules->log_tag, sizeof rules->log_tag).add(tag);
    if (const char* notify = value_of(record, "notify")) Text(rules->notify, sizeof rules->notify).add(notify);
    number("watchdog_ms", &rules->watchdog_ms);
    number("watchdog_delay_ms", &rules->watchdog_delay_ms);
    if (const char* when = value_of(record, "restart")) {
      rules->restart = strcmp(when, "never") == 0        ? RestartWhen::never
                       : strcmp(when, "on_failure") == 0 ? RestartWhen::on_failure
                                                         : RestartWhen::always;
    }
    number("retries", &rules->retries);
    if (value_of(record, "bound") != nullptr) rules->bound = true;
    if (const char* client = value_of(record, "attached")) rules->attached = strcmp(client, "terminal") == 0 ? Attached::terminal : Attached::plain;
    number("stop_signal", &rules->stop_signal);
    number("grace_ms", &rules->grace_ms);
    number("early_ms", &rules->policy.early_ms);
    number("first_ms", &rules->policy.first_ms);
    number("longest_ms", &rules->policy.longest_ms);
    number("segment_bytes", &rules->segment_bytes);
    number("keep_bytes", &rules->keep_bytes);
    number("segment_age_ms", &rules->segment_age_ms);
  }
  return rules->id[0] != 0 && rules->stop_signal > 0 && rules->stop_signal < 65 && rules->grace_ms >= 0 && rules->segment_bytes > 0;
}

size_t read_socket_names(int fd, char* to, size_t room, int* count) {
  const LaunchFile file(fd);
  *count = 0;
  size_t size = 0;
  if (!file.good()) return 0;
  for (const char* record = file.begin(); record < file.end(); record += strlen(record) + 1) {
    const char* name = value_of(record, "listen");
    if (name == nullptr) continue;
    const size_t length = strlen(name) + 1;
    if (length > room - size) return 0;
    memcpy(to + size, name, length);
    size += length;
    ++*count;
  }
  return size;
}

}  // namespace berth::keeper
