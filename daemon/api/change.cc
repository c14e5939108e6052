#include "daemon/api/change.h"

#include <algorithm>

#include "daemon/api/problem.h"

namespace berth::api {
namespace {

constexpr int kMostLookedThrough = 1000;  ///< that are looked through; others of the app may come meanwhile

bool is_change_by(const store::Event& event, const std::string& by) {
  const auto* who = event.data.if_contains("by");
  return who == nullptr || (who->is_string() && who->get_string() == by);
}

}  // namespace

awaitable<Answer> Change::answer(Result<void> made, boost::json::object what) const {
  if (!made) co_return pass(made.error());
  const auto events = co_await call_.node.events(first_, kMostLookedThrough, app_);
  std::int64_t number = 0;
  if (events) {
    const auto its = std::ranges::find_if(*events, [this](const store::Event& event) { return event.kind == kind_ && event.app == app_ && is_change_by(event, call_.by); });
    if (its != events->end()) number = its->number;
  }
  boost::json::object body;
  if (!app_.empty()) body["app"] = app_;
  for (const auto& [name, value] : what) body[name] = value;
  body["changed"] = number != 0 || !events;  // a history that cannot be read does not say that nothing was
  body["event"] = number;
  co_return reply(200, body);
}

}  // namespace berth::api
