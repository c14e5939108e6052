#include "daemon/host/journal_sink.h"

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include <fmt/core.h>
#include <spdlog/sinks/base_sink.h>
#include <sys/uio.h>
#include <syslog.h>

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "daemon/journal/message.h"

namespace berth::host {
namespace {

int priority_of(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::critical: return LOG_CRIT;
    case spdlog::level::err: return LOG_ERR;
    case spdlog::level::warn: return LOG_WARNING;
    case spdlog::level::info: return LOG_INFO;
    default: return LOG_DEBUG;
  }
}

class ToJournal final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit ToJournal(std::vector<std::string> always) : always_(std::move(always)) {}

 private:
  void sink_it_(const spdlog::details::log_msg& line) override {
    const std::string text(line.payload.data(), line.payload.size());
    const std::string own[] = {"MESSAGE=" + text, fmt::format("PRIORITY={}", priority_of(line.level))};
    std::vector<iovec> parts;
    const auto add = [&parts](const std::string& field) { parts.push_back({const_cast<char*>(field.data()), field.size()}); };
    for (const std::string& field : own) add(field);
    for (const std::string& field : always_) add(field);
    for (const std::string& field : journal::fields_of_line()) add(field);
    if (::sd_journal_sendv(parts.data(), static_cast<int>(parts.size())) < 0) fmt::print(stderr, "{}\n", text);
  }
  void flush_() override {}

  std::vector<std::string> always_;
};

}  // namespace

spdlog::sink_ptr make_journal_sink(const std::string& node, const std::string& environment) {
  return std::make_shared<ToJournal>(std::vector<std::string>{"SYSLOG_IDENTIFIER=berthd", "BERTH_NODE=" + node, "BERTH_ENVIRONMENT=" + environment});
}

}  // namespace berth::host
