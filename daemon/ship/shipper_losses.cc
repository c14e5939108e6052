#include <algorithm>

#include <fmt/core.h>
#include <spdlog/spdlog.h>

#include "daemon/journal/message.h"
#include "daemon/ship/shipper_state.h"

namespace berth::ship {
namespace {

using boost::asio::awaitable;

void log_loss(const std::string& title, const Loss& loss, const std::string& text) {
  journal::log(spdlog::level::err, journal::Message::logs_lost, {.app = loss.instance.app, .subject = title, .reason = text}, fmt::format("{}: {}", title, text));
}

}  // namespace

awaitable<void> Shipper::State::look_for_losses() {
  if (!thread || !scan) co_return;
  unlooked = false;
  looked = io::Steady::now();
  const auto look = [reader = gatherer.get(), now = scan] { return reader->look_for_losses(*now); };
  const std::vector<Loss> found = co_await thread->run(look);
  for (const Loss& loss : found) lost_early.insert(loss.instance.app);
  count_losses(found);
  co_await tell_losses();
}

void Shipper::State::count_losses(const std::vector<Loss>& found) {
  for (const Loss& loss : found) {
    shown.apps[loss.instance.app].lost += loss.lines;
    losses.add(loss);
  }
}

awaitable<void> Shipper::State::note_what_is_missing() {
  note_unreadable();
  for (const std::string& instance : batch.replaced)
    spdlog::warn("{}: the log of {} is another one now: it is read from its beginning", title, instance);
  for (const auto& [app, count] : batch.limited) shown.apps[app].limited += count;
  for (const std::string& instance : batch.gone) {
    // Series of an app go with the last of its logs, but for one that has just lost something.
    const std::string app = instance.substr(0, instance.find('/'));
    const bool left = lost_early.contains(app) || std::ranges::any_of(batch.losses, [&](const Loss& loss) { return loss.instance.app == app; }) ||
                      std::ranges::any_of(scan->logs, [&](const LogState& state) { return state.log.id.app == app; });
    if (!left) shown.apps.erase(app);
  }
  lost_early.clear();
  co_await tell_losses();
}

awaitable<void> Shipper::State::tell_losses() {
  const std::vector<Loss> due = losses.due(io::Steady::now());
  for (const Loss& loss : due) {
    const std::string text = loss_text(loss);
    if (!parts.required) {
      spdlog::warn("{}: {}", title, text);
      continue;
    }
    log_loss(title, loss, text);
    store::Event event = loss_event(loss, parts.name);
    co_await tell(std::move(event));
  }
  if (due.empty() || !thread) co_return;
  const auto note = [reader = gatherer.get(), &due] { return reader->told(due); };
  const auto noted = co_await thread->run(note);
  note_stored(noted);
}

void Shipper::State::note_stored(const Result<void>& stored) {
  const std::string error = stored ? std::string() : stored.error().message;
  if (!error.empty() && error != store_error)
    spdlog::error("{}: how far it is cannot be stored, and after a crash more than a batch comes twice: {}", title, error);
  store_error = error;
}

}  // namespace berth::ship
