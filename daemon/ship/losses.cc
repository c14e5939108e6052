#include "daemon/ship/losses.h"

#include <algorithm>

#include <fmt/core.h>

#include "core/logs/log_layout.h"

namespace berth::ship {
namespace {

std::string moment_text(logs::Time time) { return time == logs::Time{} ? std::string() : logs::format_rfc3339(time); }

std::string span_text(const Loss& loss) {
  const std::string from = moment_text(loss.from), to = moment_text(loss.to);
  std::string text;
  if (!from.empty()) text += ", after " + from;
  if (!to.empty()) text += ", before " + to;
  return text;
}

}  // namespace

LineCount count_lines(std::uint64_t first, std::uint64_t end) {
  const std::uint64_t boot = end / logs::kBootStep * logs::kBootStep;
  return boot > first ? LineCount{.lines = end - boot, .is_least = true} : LineCount{.lines = end - first};
}

std::string_view reason_text(const Loss& loss) {
  return loss.is_torn ? "a power cut or a crash tore them" : "they were removed before they were shipped";
}

std::string lines_text(const Loss& loss) {
  if (!loss.is_least) return fmt::format("lines {} to {}", loss.first, loss.last);
  if (loss.lines == 0) return fmt::format("lines from {} on, how many is not known,", loss.first);
  return fmt::format("lines from {} on, at least {},", loss.first, loss.lines);
}

std::string loss_text(const Loss& loss) {
  if (loss.is_torn)
    return fmt::format("{}: {} lines (of {} to {}{}) cannot be read, and are not shipped: {}", to_string(loss.instance), loss.lines, loss.first, loss.last, span_text(loss), reason_text(loss));
  if (!loss.is_least)
    return fmt::format("{}: {} lines (of {} to {}{}) were removed before they were shipped: [logs] keep_bytes of the app is spent sooner than the sink takes them, or log files were "
                       "removed or cut off",
                       to_string(loss.instance), loss.lines, loss.first, loss.last, span_text(loss));
  const std::string count = loss.lines == 0 ? "an unknown number of lines" : fmt::format("at least {} lines", loss.lines);
  return fmt::format("{}: {} (from {} on{}) were removed before they were shipped: its log was removed or cut off", to_string(loss.instance), count, loss.first, span_text(loss));
}

store::Event loss_event(const Loss& loss, const std::string& sink) {
  boost::json::object data{{"sink", sink}, {"instance", to_string(loss.instance)}, {"lines", loss.lines}, {"first", loss.first}};
  if (loss.last > 0) data["last"] = loss.last;
  if (loss.is_least) data["at_least"] = true;
  if (loss.is_torn) data["torn"] = true;
  if (const std::string from = moment_text(loss.from); !from.empty()) data["from"] = from;
  if (const std::string to = moment_text(loss.to); !to.empty()) data["to"] = to;
  return {.number = 0, .at = {}, .kind = "logs.lost", .app = loss.instance.app, .data = std::move(data)};
}

void LossReport::add(const Loss& loss) {
  Untold& untold = untold_[{loss.instance, loss.is_torn}];
  if (!untold.waits) {
    untold.loss = loss;
    untold.waits = true;
    return;
  }
  untold.loss.first = std::min(untold.loss.first, loss.first);
  untold.loss.last = std::max(untold.loss.last, loss.last);
  untold.loss.lines += loss.lines;
  untold.loss.is_least = untold.loss.is_least || loss.is_least;
  untold.loss.to = loss.to;
}

std::vector<Loss> LossReport::due(std::chrono::steady_clock::time_point now) {
  std::vector<Loss> told;
  for (auto& [what, untold] : untold_) {
    const bool is_first = untold.told == std::chrono::steady_clock::time_point{};
    if (!untold.waits || (!is_first && now - untold.told < kBetween)) continue;
    untold.waits = false;
    untold.told = now;
    told.push_back(untold.loss);
  }
  std::erase_if(untold_, [&](const auto& one) { return !one.second.waits && now - one.second.told >= kBetween; });
  return told;
}

bool LossReport::empty() const {
  return std::ranges::none_of(untold_, [](const auto& one) { return one.second.waits; });
}

}  // namespace berth::ship
