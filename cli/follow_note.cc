#include "cli/follow_note.h"

#include <algorithm>

#include <fmt/core.h>

#include "cli/json_view.h"

namespace berth::cli {
namespace {

using boost::json::value;

const value* named(const boost::json::array& list, std::string_view key, const std::string& name) {
  const auto found = std::ranges::find_if(list, [&](const value& one) { return text_of(one, key) == name; });
  return found == list.end() ? nullptr : &*found;
}

/// Whether the follower leaves the app where it is.
bool is_left_alone(const value& app, const std::string& release, const std::string& wanted) {
  const auto& pinned = list_of(app, "pinned");
  const bool is_pinned = std::ranges::any_of(pinned, [&](const value& one) { return one.is_string() && one.get_string() == release; });
  return is_pinned || truth_of(app, "held_firmly") || truth_of(app, "stopped") || named(list_of(app, "rejected"), "release", wanted) != nullptr;
}

}  // namespace

std::string follow_note(const value& status, const std::string& app, const std::string& release, const value* before) {
  const value* follow = named(list_of(status, "follows"), "app", app);
  if (follow == nullptr) return {};
  const std::string channel = text_of(*follow, "channel"), wanted = text_of(*follow, "wanted");
  std::string what = fmt::format("{} follows {}", app, channel.empty() ? "one release" : channel);
  if (!wanted.empty()) what += fmt::format(" ({})", wanted);
  if (release.empty() && before != nullptr && named(list_of(*before, "rejected"), "release", wanted) != nullptr)
    return fmt::format("{}, which is rejected here: it comes back when the channel points to another release, or by 'berth deploy {}@{} --force'.", what, app, wanted);
  if (release.empty()) return what + ": the next poll deploys it again; take its [[follow]] out of berthd.toml, and 'systemctl restart berthd', which stops no app.";
  const value* present = named(list_of(status, "apps"), "app", app);
  if (wanted.empty() || wanted == release || present == nullptr || text_of(*present, "active") != release || is_left_alone(*present, release, wanted)) return {};
  return fmt::format("{}: the next poll goes back to it; 'berth pin {}@{}' keeps this one.", what, app, release);
}

}  // namespace berth::cli
