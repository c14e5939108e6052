#include "core/logs/log_watch.h"

#include <poll.h>
#include <sys/inotify.h>

#include <cerrno>

#include "core/logs/log_layout.h"

namespace berth::logs {
namespace {

constexpr std::uint32_t kInstanceEvents = IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_CLOSE_WRITE | IN_ONLYDIR;
constexpr std::uint32_t kAppEvents = IN_CREATE | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;

}  // namespace

Result<LogWatch> LogWatch::open(std::filesystem::path root, InstanceSelector selector) {
  LogWatch watch(std::move(root), std::move(selector));
  watch.inotify_.reset(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!watch.inotify_) return fail_errno("watch logs (inotify)");
  const auto folder = watch.root_ / watch.selector_.app;
  watch.app_watch_ = ::inotify_add_watch(watch.inotify_.get(), folder.c_str(), kAppEvents);
  if (watch.app_watch_ < 0) return fail_errno("watch " + folder.string());
  BERTH_CHECK(watch.watch_instances());
  return watch;
}

Result<void> LogWatch::watch_instances() {
  auto logs = list_instances(root_, selector_);
  if (!logs && logs.error().code == Errc::not_found) return {};  // none yet
  if (!logs) return pass(logs.error());
  for (const InstanceLog& log : *logs) {
    if (watched_.contains(log.folder)) continue;
    if (::inotify_add_watch(inotify_.get(), log.folder.c_str(), kInstanceEvents) < 0) {
      if (errno == ENOENT) continue;
      return fail_errno("watch " + log.folder.string());
    }
    watched_.insert(log.folder);
  }
  return {};
}

Result<bool> LogWatch::wait(std::chrono::milliseconds at_most) {
  pollfd waiting{.fd = inotify_.get(), .events = POLLIN, .revents = 0};
  const int timeout = at_most.count() < 0 ? -1 : static_cast<int>(at_most.count());
  int ready = 0;
  do {
    ready = ::poll(&waiting, 1, timeout);
  } while (ready < 0 && errno == EINTR);
  if (ready < 0) return fail_errno("wait for logs");
  if (ready == 0) return false;

  bool new_instance = false;
  alignas(inotify_event) char buffer[16 << 10];
  for (;;) {
    const ssize_t got = ::read(inotify_.get(), buffer, sizeof buffer);
    if (got <= 0) break;  // EAGAIN: all were taken
    for (ssize_t at = 0; at < got;) {
      const auto* event = reinterpret_cast<const inotify_event*>(buffer + at);
      at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
      if ((event->mask & IN_Q_OVERFLOW) != 0) new_instance = true;
      if (event->wd != app_watch_) continue;
      if ((event->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED)) != 0)
        return fail(Errc::not_found, (root_ / selector_.app).string() + ": the logs were removed");
      new_instance = true;
    }
  }
  if (new_instance) BERTH_CHECK(watch_instances());
  return true;
}

}  // namespace berth::logs
