#include "cli/sinks_text.h"

#include <fmt/core.h>

#include "cli/json_view.h"
#include "cli/output/table.h"
#include "cli/output/text.h"

namespace berth::cli {
namespace {

using boost::json::value;

/// ", 5m behind".
std::string behind_text(const value& sink) {
  const double lag = lag_seconds_of(sink);
  return lag >= 1 ? fmt::format(", {} behind", age_text(std::chrono::milliseconds(static_cast<std::int64_t>(lag * 1000)))) : "";
}

/// ", the last time 5m ago: too old".
std::string refused_text(const value& sink, const StatusView& view) {
  const std::string kept = text_of(sink, "refused_why"), age = since_text(text_of(sink, "refused_at"), view.now);
  const std::string why = kept.empty() ? text_of(sink, "last_error") : kept;  // of a berthd that keeps none
  return fmt::format("{}{}", age.empty() ? "" : fmt::format(", the last time {} ago", age), why.empty() ? "; berthd's log says why" : ": " + why);
}

/// ", the last one 5m ago: it answers 410 Gone"; empty where berthd does not tell.
std::string dropped_text(const value& webhook, const StatusView& view) {
  const std::string why = text_of(webhook, "dropped_why"), age = since_text(text_of(webhook, "dropped_at"), view.now);
  if (why.empty()) return {};
  return fmt::format("{}: {}", age.empty() || number_of(webhook, "dropped") == 1 ? "" : fmt::format(", the last one {} ago", age), why);
}

}  // namespace

double lag_seconds_of(const value& sink) {
  const auto* seconds = member(sink, "lag_seconds");
  return seconds != nullptr && seconds->is_number() ? seconds->to_number<double>() : 0;
}

std::string sinks_text(const value& status, const StatusView& view) {
  std::string text, well;
  for (const auto& sink : list_of(status, "sinks")) {
    const std::string name = text_of(sink, "sink"), since = text_of(sink, "failing_since"), error = text_of(sink, "last_error");
    const std::string behind = behind_text(sink);
    if (!since.empty()) {
      const char* what = text_of(sink, "state") == "unreadable" ? "does not get all logs" : "takes nothing";
      text += tinted(printable(fmt::format("log sink {} {} for {}{}: {}", name, what, since_text(since, view.now), behind, error)), Tint::bad, view.colour) + "\n";
    } else {
      const auto limited = number_of(sink, "limited");
      const std::string left_out = limited > 0 ? fmt::format(", {} left out by its rate", count_text(static_cast<std::uint64_t>(limited), "line")) : "";
      well += fmt::format("{}{} ({}{}{})", well.empty() ? "" : ", ", name, text_of(sink, "kind"), behind, left_out);
    }
    if (const auto lost = number_of(sink, "lost"); lost > 0)
      text += tinted(fmt::format("log sink {} will never get {} lines, which were removed before it took them, or are torn", printable(name), lost), Tint::warning, view.colour) + "\n";
    if (const auto refused = number_of(sink, "refused"); refused > 0 && since.empty())
      text += tinted(printable(fmt::format("log sink {} has refused {} {}{}", name, refused, refused == 1 ? "entry" : "entries", refused_text(sink, view))), Tint::warning, view.colour) + "\n";
  }
  return text + (well.empty() ? "" : "logs go to " + printable(well) + "\n");
}

std::string webhooks_text(const value& status, const StatusView& view) {
  std::string text;
  for (const auto& webhook : list_of(status, "webhooks")) {
    const std::string name = text_of(webhook, "webhook"), since = text_of(webhook, "failing_since"), error = text_of(webhook, "last_error");
    if (!since.empty())
      text += tinted(printable(fmt::format("webhook {} takes nothing for {}{}: {}", name, since_text(since, view.now), behind_text(webhook), error)), Tint::bad, view.colour) + "\n";
    if (const auto dropped = number_of(webhook, "dropped"); dropped > 0)
      text += tinted(printable(fmt::format("webhook {} will never get {} event{}{}", name, dropped, dropped == 1 ? "" : "s", dropped_text(webhook, view))), Tint::warning, view.colour) + "\n";
  }
  return text;
}

}  // namespace berth::cli
