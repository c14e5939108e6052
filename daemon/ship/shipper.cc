#include "daemon/ship/shipper.h"

#include <algorithm>
#include <utility>

#include <spdlog/spdlog.h>

#include "daemon/ship/shipper_state.h"

namespace berth::ship {
namespace {

using boost::asio::awaitable;
using std::chrono::milliseconds;

constexpr milliseconds kUntilNews = std::chrono::hours(1);
constexpr milliseconds kBetweenLooks{1000};  ///< for what is lost while a sink takes nothing
constexpr milliseconds kHeldLook{500};       ///< where lines wait for what may go on with them

}  // namespace

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
  state_->fresh = state_->unlooked = true;
  state_->woken.notify();
}

void Shipper::try_now() {
  if (!state_->is_waiting) return;
  state_->is_waiting = false;
  state_->woken.notify();
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

/// The same while the sink takes nothing: says what is lost meanwhile, and ends when somebody wants it tried now.
awaitable<void> Shipper::State::pause_failing(milliseconds at_most) {
  const auto until = io::Steady::now() + at_most;
  is_waiting = true;
  while (!stopping && is_waiting) {
    const auto now = io::Steady::now();
    if (unlooked && now - looked >= kBetweenLooks) co_await look_for_losses();
    else co_await tell_losses();
    const auto left = std::chrono::ceil<milliseconds>(until - io::Steady::now());
    if (left <= milliseconds(0) || stopping || !is_waiting) break;  // the latter two may have come while losses were told
    const milliseconds wait = unlooked || !losses.empty() ? std::min(left, kBetweenLooks) : left;
    co_await woken.wait(wait);
  }
  is_waiting = false;
}

awaitable<void> Shipper::State::run() {
  co_await load();
  co_await make();
  while (!stopping) {
    if (!batch.more && !ahead) {
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
    note_end_of_backlog();
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
    co_await gather_early();
    const milliseconds wait = parts.wait_before_retry(failures, milliseconds(0), chance());
    co_await pause_failing(wait);
  }
}

/// Reads what a sink that there is not yet is to take first, so that it is known how far it is behind, and what it loses.
awaitable<void> Shipper::State::gather_early() {
  if (!scan || !thread || (ahead && !ahead->entries.empty())) co_return;
  if (ahead) {
    batch = std::move(*ahead);
    ahead.reset();
    co_await note_what_is_missing();
    co_await store();
  }
  const BatchLimits most = parts.gatherer.limits;
  const BatchLimits limits{.entries = std::min(most.entries, BatchLimits{}.entries), .bytes = std::min(most.bytes, BatchLimits{}.bytes)};
  const auto limit = [reader = gatherer.get(), limits] { reader->set_limits(limits); };
  co_await thread->run(limit);
  co_await look_ahead();
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
    const std::size_t room = memory.room(is_eager);
    gathering = room;
    count_memory();
    const auto read = [reader = gatherer.get(), now = scan, room] { return reader->gather(*now, room); };
    auto gathered = co_await thread->run(read);
    ahead = std::move(gathered);
    gathering = 0;
    count_memory();
    count_losses(ahead->losses);  // now: the batch before it may be under way for long
    co_await tell_losses();
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
    is_eager = delivery.kind == Delivery::Kind::taken && failures == 0;
    if (delivery.kind == Delivery::Kind::taken) {
      note_success(delivery);
      co_await store();
      co_return;
    }
    note_failure(delivery.reason);
    ++failures;
    const milliseconds wait = parts.wait_before_retry(failures, delivery.wait, chance());
    co_await pause_failing(wait);
    if (!stopping) ++shown.retries;
  }
}

void Shipper::State::note_end_of_backlog() {
  if (batch.more) ++in_a_row;
  else if (std::exchange(in_a_row, 0) >= kBacklog && parts.caught_up && !stopping) parts.caught_up();
}

/// Says durably how far it is.
awaitable<void> Shipper::State::store() {
  if (!thread) co_return;
  if (batch.daemon_line) daemon_line = *batch.daemon_line;
  const auto write = [reader = gatherer.get(), &delivered = batch] { return reader->delivered(delivered); };
  const auto stored = co_await thread->run(write);
  note_stored(stored);
  batch.entries.clear();
  batch.entries.shrink_to_fit();
  batch.memory = 0;
  count_memory();
}

awaitable<void> Shipper::State::tell(store::Event event) {
  if (!thread) co_return;
  const auto add = [add_event = parts.tell, event = std::move(event)] {
    if (add_event) add_event(event);
  };
  co_await thread->run(add);
}

}  // namespace berth::ship
