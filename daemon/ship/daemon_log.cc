#include "daemon/ship/daemon_log.h"

#include <algorithm>

#include <spdlog/details/null_mutex.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include "daemon/ship/sinks/line_text.h"

namespace berth::ship {
namespace {

Severity severity_of_level(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::critical: return Severity::critical;
    case spdlog::level::err: return Severity::error;
    case spdlog::level::warn: return Severity::warning;
    case spdlog::level::info: return Severity::info;
    default: return Severity::debug;
  }
}

/// DaemonLog has a lock of its own.
class ToDaemonLog final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  explicit ToDaemonLog(std::shared_ptr<DaemonLog> log) : log_(std::move(log)) {}

 private:
  void sink_it_(const spdlog::details::log_msg& line) override {
    log_->add(line.time, severity_of_level(line.level), escape_bytes(std::string(line.payload.data(), line.payload.size())));
  }
  void flush_() override {}

  std::shared_ptr<DaemonLog> log_;
};

}  // namespace

void DaemonLog::add(logs::Time time, Severity severity, std::string text) {
  const std::lock_guard lock(mutex_);
  bytes_ += text.size();
  lines_.push_back({.number = ++last_, .time = time, .severity = severity, .text = std::move(text)});
  while (lines_.size() > kMostLines || (bytes_ > kMostLogBytes && lines_.size() > 1)) {
    bytes_ -= lines_.front().text.size();
    lines_.pop_front();
  }
}

std::vector<DaemonLine> DaemonLog::after(std::uint64_t number, std::size_t most) const {
  const std::lock_guard lock(mutex_);
  const auto begin = std::ranges::upper_bound(lines_, number, {}, &DaemonLine::number);
  const auto count = std::min<std::size_t>(most, static_cast<std::size_t>(lines_.end() - begin));
  return {begin, begin + static_cast<std::ptrdiff_t>(count)};
}

std::uint64_t DaemonLog::last() const {
  const std::lock_guard lock(mutex_);
  return last_;
}

void listen_to_log(std::shared_ptr<DaemonLog> log) { spdlog::default_logger()->sinks().push_back(std::make_shared<ToDaemonLog>(std::move(log))); }

}  // namespace berth::ship
