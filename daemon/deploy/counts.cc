#include "daemon/deploy/counts.h"

namespace berth::deploy {

void Counts::forget(const std::string& app) {
  const auto is_its_own = [&app](const auto& one) { return std::get<0>(one.first) == app; };
  std::erase_if(ended, is_its_own);
  std::erase_if(fetched, is_its_own);
  std::erase_if(steps, is_its_own);
  std::erase_if(hooks, is_its_own);
  std::erase_if(execs, is_its_own);
  std::erase_if(jobs, is_its_own);
}

void UnknownApps::add(const std::string& app, Time now, Counts& counts) {
  remove(app);
  apps_.emplace_back(app, now);
  if (apps_.size() <= kMost) return;
  counts.forget(apps_.front().first);
  apps_.pop_front();
}

void UnknownApps::remove(const std::string& app) {
  std::erase_if(apps_, [&app](const auto& one) { return one.first == app; });
}

void UnknownApps::forget_old(Time now, Counts& counts) {
  while (!apps_.empty() && now - apps_.front().second >= kKept) {
    counts.forget(apps_.front().first);
    apps_.pop_front();
  }
}

}  // namespace berth::deploy
