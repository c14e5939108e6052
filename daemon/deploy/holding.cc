#include <algorithm>

#include <fmt/core.h>

#include "daemon/deploy/engine.h"

// What operators say of an app or a release beforehand: that it is to be left alone, or that a release is good or bad.

namespace berth::deploy {

/// One that is held already is so for who began, unless another reason is given; then the event tells what it took the place of.
awaitable<Result<void>> Engine::hold(std::string name, Asked asked) {
  const auto app = node_.known(name);
  if (!app) co_return std::unexpected(app.error());
  const store::Hold before = (*app)->row.held;
  if (before && before.firm && (asked.why.empty() || asked.why == before.why)) co_return Result<void>();
  boost::json::object data;
  if (before) data["replaced"] = store::to_string(before);
  const store::Hold firm{.why = asked.why.empty() ? std::string("no reason was given") : asked.why, .by = asked.by, .at = store::now_text(), .firm = true};
  data["held"] = firm.why;
  data["firm"] = true;
  const auto write = [this, name, firm, event = operator_event("hold", name, asked, data)] { return node_.store.set_held(name, firm, event); };
  auto written = co_await node_.pool.run(write);
  if (written) (*app)->row.held = firm;
  co_return written;
}

awaitable<Result<void>> Engine::resume(std::string name, Asked asked) {
  const auto app = node_.known(name);
  if (!app) co_return std::unexpected(app.error());
  if (!(*app)->row.held) {
    settled_(name);
    co_return Result<void>();
  }
  const auto release = [this, name, asked] { return node_.store.set_held(name, {}, operator_event("resume", name, asked)); };
  auto released = co_await node_.pool.run(release);
  if (!released) co_return released;
  (*app)->row.held = {};
  settled_(name);
  co_return released;
}

/// A release that is being deployed is not marked bad: its end would say otherwise, and there is a better way to end it.
awaitable<Result<void>> Engine::mark(std::string name, std::string release, bool good, Asked asked) {
  const auto app = node_.known(name);
  if (!app) co_return std::unexpected(app.error());
  std::vector<RunPtr> runs((*app)->queue.begin(), (*app)->queue.end());
  if ((*app)->run) runs.push_back((*app)->run);
  runs.insert(runs.end(), (*app)->giving_way.begin(), (*app)->giving_way.end());
  const auto of_it = [&](const RunPtr& run) { return run->row.release == release && !is_terminal(run->position.state) && run->position.state != State::reverting; };
  if (const auto run = std::ranges::find_if(runs, of_it); !good && run != runs.end()) {
    const std::string instead = (*run)->position.decided ? "berth revert " + name : fmt::format("berth cancel {}", (*run)->row.id);
    co_return fail(Errc::conflict, fmt::format("{}@{}: deployment {} of it is {}; '{}' first", name, release, (*run)->row.id, to_string((*run)->position.state), instead));
  }
  const boost::json::object data{{"release", release}, {"as", good ? "good" : "bad"}};
  const std::string reason = fmt::format("marked bad by {}{}{}", asked.by, asked.why.empty() ? "" : ": ", asked.why);
  const auto write = [this, name, release, good, reason, event = operator_event("mark", name, asked, data)]() -> Result<void> {
    BERTH_TRY(const auto rejected, node_.store.rejected(name));
    const auto its = std::ranges::find(rejected, release, &store::Rejected::release);
    if (its == rejected.end() ? good : !good && its->reason == reason) return {};  // it is so
    if (good) return node_.store.unreject(name, release, {event});
    BERTH_TRY(const auto slot, node_.store.slot(name, release));
    return node_.store.reject(name, release, slot ? slot->manifest_sha256 : "", reason, {event});
  };
  auto written = co_await node_.pool.run(write);
  if (written) static_cast<void>(co_await node_.reload(*app));
  if (written && good) settled_(name);
  co_return written;
}

}  // namespace berth::deploy
