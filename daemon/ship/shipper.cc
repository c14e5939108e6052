#include "daemon/ship/shipper.h"

#include <algorithm>
#include <random>
#include <set>
#include <string_view>
#include <utility>

#include <fmt/core.h>
#include <spdlog/spdlog.h>

#include "core/logs/record_time.h"
#include "daemon/journal/message.h"
#include "daemon/ship/backoff.h"
#include "daemon/ship/losses.h"

namespace berth::ship {
namespace {

using boost::asio::awaitable;
using std::chrono::milliseconds;

constexpr milliseconds kUntilNews = std::chrono::hours(1);
constexpr milliseconds kHeldLook{500};       ///< where lines wait for what may go on with them
constexpr std::size_t kMostRefusals = 16;    ///< different reasons for refusals that are told

void log_loss(const std::string& title, const Loss& loss, const std::string& text) {
  journal::log(spdlog::level::err, journal::Message::logs_lost, {.app = loss.instance.app, .subject = title, .reason = text}, fmt::format("{}: {}", title, text));
}

logs::Time wall_clock() { return std::chrono::time_point_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now()); }

}  // namespace

struct Shipper::State : std::enable_shared_from_this<Shipper::State> {
  explicit State(ShipperParts its_parts)
      : parts(std::move(its_parts)), gatherer(std::make_unique<Gatherer>(parts.gatherer)), woken(parts.loop.executor()), end(parts.loop.executor()),
        looked_ahead(parts.loop.executor()), daemon_line(parts.gatherer.daemon_line), thread(std::make_unique<io::Pool>(1)) {
    shown.name = parts.name;
    shown.kind = parts.kind;
    shown.required = parts.required;
    if (!parts.wait_before_retry) parts.wait_before_retry = wait_before_retry;
  }

  awaitable<void> run();
  awaitable<void> load();
  awaitable<void> make();
  awaitable<void> next_batch();
  awaitable<void> look_ahead();
  awaitable<void> deliver();
  awaitable<void> store();
  awaitable<void> pause(milliseconds at_most);
  awaitable<void> tell(store::Event event);
  awaitable<void> wait_for_news();
  awaitable<void> note_what_is_missing();
  awaitable<void> tell_losses();
  void note_unreadable();
  void show_unreadable(SinkStatus& status) const;
  void note_apps();
  void note_failure(const std::string& why);
  void note_success(const Delivery& delivery);
  double chance() { return std::uniform_real_distribution<double>(0, 1)(random); }

  ShipperParts parts;
  const std::string title = fmt::format("{} {}", parts.words.kind, parts.name);  ///< "log sink central"
  std::unique_ptr<Gatherer> gatherer;  ///< the thread's
  std::unique_ptr<Sink> sink;
  std::shared_ptr<const Scan> scan;
  Batch batch;
  std::optional<Batch> ahead;       ///< the one after it
  bool is_looking_ahead = false;    ///< that is being gathered
  bool fresh = false;     ///< a scan came that no batch was gathered after
  bool stopping = false, has_ended = false, started = false;
  io::Event woken, end, looked_ahead;
  LossReport losses;
  SinkStatus shown;
  bool gave_up = false;                ///< on the last batch, without asking: how the sink is nobody knows
  std::set<std::string> refusals;      ///< reasons that were told
  std::map<std::string, std::string> unreadable;  ///< why, by instance
  logs::Time unreadable_since{};                  ///< some log is
  std::string store_error;
  std::uint64_t daemon_line;           ///< as `Shipper::daemon_line`
  std::minstd_rand random{std::random_device{}()};
  std::unique_ptr<io::Pool> thread;    ///< goes first
};

Shipper::Shipper(ShipperParts parts) : state_(std::make_shared<State>(std::move(parts))) {}

Shipper::~Shipper() {
  stop();
  state_->thread.reset();
  state_->sink.reset();
}

void Shipper::start() {
  state_->started = true;
  const auto hold = [](std::shared_ptr<State> state) -> awaitable<void> { co_await state->run(); };
  state_->parts.loop.spawn("ship to " + state_->parts.name, hold(state_));
}

void Shipper::stop() {
  state_->stopping = true;
  state_->woken.notify();
}

awaitable<bool> Shipper::ended(milliseconds at_most) {
  const auto state = state_;
  if (state->started && !state->has_ended) co_await state->end.wait(at_most);
  co_return !state->started || state->has_ended;
}

void Shipper::news(std::shared_ptr<const Scan> scan) {
  state_->scan = std::move(scan);
  state_->note_apps();
  state_->fresh = true;
  state_->woken.notify();
}

SinkStatus Shipper::status() const {
  SinkStatus status = state_->shown;
  const Batch& batch = state_->batch;
  const auto oldest = batch.oldest();
  const auto since = oldest && batch.behind ? std::min(*oldest, *batch.behind) : oldest ? oldest : batch.behind;
  if (!since && state_->gave_up) status.failing_since.clear();  // it has nothing that it could fail to take
  if (since) status.lag_seconds = std::max(0.0, std::chrono::duration<double>(wall_clock() - *since).count());
  status.state = !status.failing_since.empty() ? "failing" : since ? "shipping" : "up to date";
  if (!state_->unreadable.empty()) state_->show_unreadable(status);
  return status;
}

/// What cannot be read is not delivered either: it counts as old as the trouble is.
void Shipper::State::show_unreadable(SinkStatus& status) const {
  status.lag_seconds = std::max(status.lag_seconds, std::chrono::duration<double>(wall_clock() - unreadable_since).count());
  if (!status.failing_since.empty()) return;
  status.state = "unreadable";
  status.failing_since = logs::format_rfc3339(unreadable_since);
  const auto& [instance, why] = *unreadable.begin();
  status.last_error = fmt::format("the log of {} cannot be read: {}", instance, why);
  if (unreadable.size() > 1) status.last_error += fmt::format(" (and {} more)", unreadable.size() - 1);
}

/// Says what cannot be read when that changes.
void Shipper::State::note_unreadable() {
  for (const auto& [instance, why] : batch.unreadable)
    if (const auto known = unreadable.find(instance); known == unreadable.end() || known->second != why)
      spdlog::error("{}: the log of {} cannot be read, and waits: {}", title, instance, why);
  for (const auto& [instance, why] : unreadable)
    if (!batch.unreadable.contains(instance)) spdlog::info("{}: the log of {} can be read again, or is gone", title, instance);
  if (unreadable.empty()) unreadable_since = wall_clock();
  unreadable = batch.unreadable;
}

std::uint64_t Shipper::daemon_line() const { return state_->daemon_line; }

/// Waits; a stop ends that, and so does nothing else.
awaitable<void> Shipper::State::pause(milliseconds at_most) {
  const auto until = io::Steady::now() + at_most;
  while (!stopping) {
    const auto left = std::chrono::ceil<milliseconds>(until - io::Steady::now());
    if (left <= milliseconds(0)) co_return;
    co_await woken.wait(left);
  }
}

awaitable<void> Shipper::State::run() {
  co_await load();
  co_await make();
  while (!stopping) {
    if (!batch.more) {
      co_await wait_for_news();
      // What comes in the meantime is collected where it is safe: in the log.
      co_await pause(parts.batch_wait);
    }
    if (stopping) break;
    co_await next_batch();
    if (batch.more && !stopping) {
      const auto hold = [](std::shared_ptr<State> state) -> awaitable<void> { co_await state->look_ahead(); };
      is_looking_ahead = true;
      parts.loop.spawn("gather for " + parts.name, hold(shared_from_this()));
    }
    co_await deliver();
  }
  while (is_looking_ahead) co_await looked_ahead.wait(kUntilNews);
  has_ended = true;
  end.notify();
}

awaitable<void> Shipper::State::wait_for_news() {
  while (!fresh && !stopping) {
    const milliseconds wait = batch.holds ? kHeldLook : losses.empty() ? kUntilNews : milliseconds(LossReport::kBetween);
    co_await woken.wait(wait);
    if (batch.holds && scan) co_return;
    co_await tell_losses();
  }
}

awaitable<void> Shipper::State::load() {
  const auto read = [reader = gatherer.get()] { return reader->load(); };
  const auto loaded = co_await thread->run(read);
  if (loaded) co_return;
  ++shown.resets;
  spdlog::error("{}: {}. It is not known how far it is: all that is kept is shipped again, from the oldest on", title, loaded.error().message);
  store::Event event{.number = 0, .at = {}, .kind = std::string(parts.words.cursor_damaged), .app = {}, .data = {{parts.words.key, parts.name}, {"reason", loaded.error().message}}};
  co_await tell(std::move(event));
}

/// Has a sink, or the wish to stop.
awaitable<void> Shipper::State::make() {
  for (int failures = 1; !stopping; ++failures) {
    auto made = parts.make_sink();
    if (made) {
      sink = std::move(*made);
      const BatchLimits own = sink->limits();
      const BatchLimits most = parts.gatherer.limits;
      const BatchLimits limits{.entries = std::min(own.entries, most.entries), .bytes = std::min(own.bytes, most.bytes)};
      const auto limit = [reader = gatherer.get(), limits] { reader->set_limits(limits); };
      co_await thread->run(limit);
      co_return;
    }
    note_failure(made.error().message);
    co_await pause(parts.wait_before_retry(failures, milliseconds(0), chance()));
  }
}

awaitable<void> Shipper::State::next_batch() {
  if (!is_looking_ahead && !ahead) co_await look_ahead();
  while (is_looking_ahead) co_await looked_ahead.wait(kUntilNews);
  if (!ahead) co_return;  // the thread has gone
  batch = std::move(*ahead);
  ahead.reset();
  co_await note_what_is_missing();
}

/// Gathers the batch that comes next, while another one may be under way.
awaitable<void> Shipper::State::look_ahead() {
  if (thread) {
    fresh = false;
    const auto read = [reader = gatherer.get(), now = scan] { return reader->gather(*now); };
    auto gathered = co_await thread->run(read);
    ahead = std::move(gathered);
  }
  is_looking_ahead = false;
  looked_ahead.notify();
}

/// Sends the batch until it is taken, or somebody wants to stop.
awaitable<void> Shipper::State::deliver() {
  if (batch.entries.empty()) {
    co_await store();
    co_return;
  }
  for (int failures = 0; !stopping;) {
    const std::span<const Entry> entries(batch.entries);
    const Delivery delivery = co_await sink->send(entries);
    if (delivery.kind == Delivery::Kind::taken) {
      note_success(delivery);
      co_await store();
      co_return;
    }
    note_failure(delivery.reason);
    ++failures;
    const milliseconds wait = parts.wait_before_retry(failures, delivery.wait, chance());
    co_await pause(wait);
    if (!stopping) ++shown.retries;
  }
}

/// Says durably how far it is.
awaitable<void> Shipper::State::store() {
  if (!thread) co_return;
  if (batch.daemon_line) daemon_line = *batch.daemon_line;
  const auto write = [reader = gatherer.get(), &delivered = batch] { return reader->delivered(delivered); };
  const auto stored = co_await thread->run(write);
  const std::string error = stored ? std::string() : stored.error().message;
  if (!error.empty() && error != store_error)
    spdlog::error("{}: how far it is cannot be stored, and after a crash more than a batch comes twice: {}", title, error);
  store_error = error;
  batch.entries.clear();
  batch.entries.shrink_to_fit();
}

/// Each app that the sink wants is counted from the beginning, also while it takes nothing: what appears with its value is no increase to Prometheus.
void Shipper::State::note_apps() {
  const Wanted& wanted = parts.gatherer.wanted;
  std::set<std::string_view> there;
  for (const LogState& state : scan->logs)
    if (wanted.wants_app(state.log.id.app)) there.insert(state.log.id.app);
  if (wanted.events || wanted.daemon) there.insert("");
  std::erase_if(shown.apps, [&](const auto& one) { return one.second == ShippedCounts{} && !there.contains(one.first); });
  for (const std::string_view app : there) shown.apps.try_emplace(std::string(app));
}

void Shipper::State::note_failure(const std::string& why) {
  if (shown.failing_since.empty() || shown.last_error != why)
    journal::log(spdlog::level::warn, journal::Message::sink_failing, {.subject = title, .reason = why}, fmt::format("{}: {}; it is tried again", title, why));
  if (shown.failing_since.empty()) shown.failing_since = store::now_text();
  shown.last_error = why;
}

void Shipper::State::note_success(const Delivery& delivery) {
  gave_up = delivery.untried;
  if (!shown.failing_since.empty() && !delivery.untried) {
    if (delivery.refused < batch.entries.size()) spdlog::info("{}: takes {} again", title, parts.words.entries);
    shown.failing_since.clear();
    shown.last_error.clear();
  }
  if (!delivery.untried) shown.last_success = store::now_text();
  ++shown.batches;
  // Which ones were refused the sink does not say: they are put down to the apps by their share.
  std::uint64_t refused = std::min<std::uint64_t>(delivery.refused, batch.entries.size());
  std::uint64_t entries = batch.entries.size();
  for (const auto& [app, count] : batch.by_app) {
    const std::uint64_t share = entries == count ? refused : refused * count / entries;
    refused -= share;
    entries -= count;
    shown.apps[app].refused += share;
    shown.apps[app].shipped += count - share;
  }
  if (delivery.refused == 0) return;
  shown.refused_at = store::now_text();
  shown.refused_why = delivery.reason;
  if (delivery.untried && !shown.failing_since.empty()) shown.refused_why += fmt::format(" ({})", shown.last_error);
  if (!delivery.untried || shown.failing_since.empty()) 
    shown.last_error = delivery.refused == 1 ? fmt::format("1 {} was refused: {}", parts.words.entry, delivery.reason)
                                             : fmt::format("{} {} were refused: {}", delivery.refused, parts.words.entries, delivery.reason);
  if (refusals.size() < kMostRefusals && refusals.insert(delivery.reason).second)
    spdlog::warn("{}: refuses {} for good, which are not sent again: {}", title, parts.words.entries, delivery.reason);
}

awaitable<void> Shipper::State::tell(store::Event event) {
  if (!thread) co_return;
  const auto add = [add_event = parts.tell, event = std::move(event)] {
    if (add_event) add_event(event);
  };
  co_await thread->run(add);
}

awaitable<void> Shipper::State::note_what_is_missing() {
  note_unreadable();
  for (const std::string& instance : batch.replaced)
    spdlog::warn("{}: the log of {} is another one now: it is read from its beginning", title, instance);
  for (const auto& [app, count] : batch.limited) shown.apps[app].limited += count;
  for (const Loss& loss : batch.losses) {
    shown.apps[loss.instance.app].lost += loss.lines;
    losses.add(loss);
  }
  for (const std::string& instance : batch.gone) {
    // Series of an app go with the last of its logs, but for one that has just lost something.
    const std::string app = instance.substr(0, instance.find('/'));
    const bool left = std::ranges::any_of(batch.losses, [&](const Loss& loss) { return loss.instance.app == app; }) ||
                      std::ranges::any_of(scan->logs, [&](const LogState& state) { return state.log.id.app == app; });
    if (!left) shown.apps.erase(app);
  }
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
}

}  // namespace berth::ship
