#include "cli/watch_picture.h"

#include <algorithm>

#include <fmt/core.h>

#include "cli/advice.h"
#include "cli/json_view.h"
#include "cli/output/table.h"
#include "cli/output/text.h"
#include "core/logs/record_time.h"

namespace berth::cli {
namespace {

using boost::json::value;

/// "09:00:04Z".
std::string clock_text(WallTime moment) {
  const std::string text = logs::format_rfc3339(std::chrono::time_point_cast<std::chrono::nanoseconds>(moment), 0);
  return text.size() < 20 ? text : text.substr(11, 9);
}

bool is_well(const value& app) {
  const std::string health = text_of(app, "health");
  return health == "healthy" || health == "stopped";
}

/// Which nodes come first.
int turn_of(const Watched& node) {
  if (node.away) return 0;
  if (!node.answer) return 2;
  const auto& apps = list_of(*node.answer, "apps");
  const bool well = member(*node.answer, "apps") == nullptr ? is_well(*node.answer) : std::ranges::all_of(apps, is_well);
  return well ? 2 : 1;
}

std::string away_text(const Watched& node, const StatusView& view) {
  const auto age = std::chrono::duration_cast<std::chrono::milliseconds>(view.now - node.away_since);
  std::string text = fmt::format("No answer since {} ({}): {}", clock_text(node.away_since), age_text(age), node.away->message);
  if (node.answer) text += fmt::format("; what follows was so at {}", clock_text(node.answered_at));
  return tinted(printable(text), Tint::bad, view.colour) + "\n";
}

}  // namespace

std::string answer_text(const value& answer, const std::string& app, bool quiet, const StatusView& view) {
  if (!app.empty()) return for_node(app_text(answer, view), view.node);
  const std::string apps = apps_text(answer, view);
  std::string text = quiet ? "" : node_text(answer, view);
  text += apps;
  if (apps.empty() && !quiet && truth_of(answer, "ready")) {
    const std::string limits = limits_text(answer);
    text += limits.empty() ? "No apps yet; deploy one: berth deploy APP@RELEASE\n" : printable(fmt::format("None of the apps that you may see is here: {}", limits)) + "\n";
  }
  return for_node(text, view.node);
}

std::string watch_picture(const std::vector<Watched>& nodes, const WatchLook& look, const StatusView& view) {
  std::string text = tinted(fmt::format("{}  {}", clock_text(view.now), look.head), Tint::dim, view.colour) + "\n";
  std::vector<const Watched*> turns;
  for (const Watched& node : nodes) turns.push_back(&node);
  std::ranges::stable_sort(turns, {}, [](const Watched* node) { return turn_of(*node); });
  for (const Watched* node : turns) {
    text += "\n";
    if (nodes.size() > 1) text += tinted("--node " + printable(node->name), Tint::bold, view.colour) + "\n";
    if (node->away) text += away_text(*node, view);
    StatusView own = view;
    own.node = node->name;
    if (node->answer) text += answer_text(*node->answer, look.app, look.quiet, own);
    else if (!node->away) text += "asking …\n";
  }
  return text;
}

}  // namespace berth::cli
