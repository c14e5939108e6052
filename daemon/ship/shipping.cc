#include "daemon/ship/shipping.h"

#include <algorithm>
#include <map>
#include <stop_token>
#include <utility>

#include <fmt/core.h>
#include <spdlog/spdlog.h>

#include "core/files/files.h"
#include "core/logs/compress_segment.h"
#include "daemon/ship/kinds.h"
#include "daemon/ship/log_scan.h"
#include "daemon/ship/shipper.h"

namespace berth::ship {
namespace {

using boost::asio::awaitable;
using std::chrono::milliseconds;

constexpr milliseconds kAfterAChange{200};                     ///< between looks at the logs while they grow
constexpr milliseconds kBetweenScans{1000};                    ///< at the most
constexpr milliseconds kUntilWoken = std::chrono::hours(1);    ///< where there is no sink, or whatever comes says so
constexpr milliseconds kBetweenCompressions{5000};

/// Compresses what is rotated, one file after the other; says what stood in the way.
Result<int> compress_all(const std::filesystem::path& root, const std::stop_token& stop) {
  int done = 0;
  Result<void> first_trouble;
  for (const logs::InstanceLog& log : logs::list_all_instances(root)) {
    for (const logs::Segment& segment : logs::compressible_segments(log.folder)) {
      auto compressed = logs::compress_segment(segment, stop);
      if (stop.stop_requested()) return done;
      if (!compressed && first_trouble) first_trouble = pass(std::move(compressed.error()));
      if (compressed && *compressed) ++done;
    }
  }
  if (!first_trouble) return pass(std::move(first_trouble.error()));
  return done;
}

}  // namespace

/// One `[[sink]]` and who ships to it.
struct SinkInUse {
  config::Sink said;
  std::unique_ptr<Shipper> shipper;
};

struct Shipping::State : std::enable_shared_from_this<Shipping::State> {
  explicit State(ShippingParts its_parts) : parts(std::move(its_parts)), scanner(parts.logs), woken(parts.loop.executor()) {}

  SinkInUse begin(const config::Sink& said);
  void make_folder();
  void start(SinkInUse& line);
  awaitable<void> leave(SinkInUse old);
  awaitable<void> scan();
  awaitable<void> compress();
  bool has_webhooks() const { return parts.cargo == Cargo::events; }
  SinkWords words() const { return has_webhooks() ? kWebhookWords : SinkWords{}; }
  std::filesystem::path folder() const { return parts.state / (has_webhooks() ? kWebhookCursors : kSinkCursors); }

  ShippingParts parts;
  LogScanner scanner;
  std::shared_ptr<BatchBudget> budget = std::make_shared<BatchBudget>();
  std::vector<SinkInUse> lines;
  std::vector<SinkInUse> leaving;           ///< those whose last batch is still under way
  std::map<std::string, std::uint64_t, std::less<>> daemon_lines;  ///< the last line of berthd's own log that those had which are no more, by sink
  std::shared_ptr<const Scan> newest;  ///< or null
  bool compresses = true, stopping = false, has_folder = false;
  std::stop_source stop;
  io::Event woken;
};

Shipping::Shipping(ShippingParts parts) : state_(std::make_shared<State>(std::move(parts))) {}

Shipping::~Shipping() {
  stop();
  state_->lines.clear();
  state_->leaving.clear();
}

SinkInUse Shipping::State::begin(const config::Sink& said) {
  const auto make = [&loop = parts.loop, said, sources = parts.secret_sources] { return make_sink({loop, sources}, said); };
  NodeNames names{.node = parts.node, .environment = parts.environment, .labels = {said.labels.begin(), said.labels.end()}};
  Wanted wanted{.apps = said.apps, .events = said.events, .daemon = said.daemon, .wants_event = wanted_events_of(said), .rules = line_rules_of(said)};
  const auto had = daemon_lines.find(said.name);
  GathererParts gatherer{.names = std::move(names),
                         .wanted = std::move(wanted),
                         .limits = {.entries = said.batch_lines, .bytes = said.batch_bytes},
                         .file = CursorFile(folder(), said.name),
                         .events = parts.events,
                         .last_event = has_webhooks() ? parts.last_event : nullptr,
                         .daemon_log = parts.daemon_log,
                         .daemon_line = had == daemon_lines.end() ? 0 : had->second,
                         .secrets = parts.given_secrets};
  ShipperParts shipper{.loop = parts.loop,
                       .make_sink = make,
                       .gatherer = std::move(gatherer),
                       .budget = budget,
                       .tell = parts.tell,
                       .caught_up = parts.caught_up,
                       .name = said.name,
                       .kind = said.kind,
                       .words = words(),
                       .required = said.required,
                       .batch_wait = said.batch_wait,
                       .wait_before_retry = {}};
  return {.said = said, .shipper = std::make_unique<Shipper>(std::move(shipper))};
}

void Shipping::start(const std::vector<config::Sink>& sinks, bool compress) {
  State& state = *state_;
  state.compresses = compress;
  for (const config::Sink& said : sinks) {
    state.lines.push_back({.said = said, .shipper = nullptr});
    state.start(state.lines.back());
  }
  const auto hold_scan = [](std::shared_ptr<State> held) -> awaitable<void> { co_await held->scan(); };
  const auto hold_compress = [](std::shared_ptr<State> held) -> awaitable<void> { co_await held->compress(); };
  state.parts.loop.spawn(state.has_webhooks() ? "look at events" : "look at logs", hold_scan(state_));
  if (!state.has_webhooks()) state.parts.loop.spawn("compress logs", hold_compress(state_));
}

/// The one that was before it has the cursor until its last batch ended.
awaitable<void> Shipping::State::leave(SinkInUse old) {
  old.shipper->stop();
  const std::string name = old.said.name;
  Shipper* const last = old.shipper.get();
  leaving.push_back(std::move(old));
  // One that still runs is not destroyed: that would wait for its thread here, on the loop.
  for (bool ended = false, warned = false; !ended;) {
    ended = co_await last->ended(parts.end_warning);
    if (stopping) co_return;
    if (!ended && !std::exchange(warned, true))
      spdlog::warn("{} {}: the batch that was under way when it was changed has not ended; what it is to be from now on begins behind that", words().kind, name);
  }
  daemon_lines.insert_or_assign(name, last->daemon_line());
  std::erase_if(leaving, [&](const SinkInUse& line) { return line.shipper.get() == last; });
  const auto next = std::ranges::find(lines, name, [](const SinkInUse& line) { return line.said.name; });
  if (next != lines.end() && !next->shipper) start(*next);
}

/// Where the cursors are: made with the first sink, which is the first to write there.
void Shipping::State::make_folder() {
  if (has_folder) return;
  const auto made = files::make_directories(folder(), 0700);
  has_folder = made.has_value();
  if (has_folder) files::remove_left_temporaries(folder());
  else spdlog::error("{}s: {}", words().kind, made.error().message);
}

void Shipping::State::start(SinkInUse& line) {
  make_folder();
  line = begin(line.said);
  line.shipper->start();
  if (newest) line.shipper->news(newest);
}

Result<void> Shipping::check(const std::vector<config::Sink>& sinks) const {
  for (const config::Sink& said : sinks) {
    const auto wrong = [this, &said](Error error) { return pass(std::move(error), fmt::format("{}: [[{}]] {}", said.at, state_->words().key, said.name)); };
    if (auto made = make_sink({state_->parts.loop, state_->parts.secret_sources}, said); !made) return wrong(std::move(made.error()));
    // What an unchanged one misses since, its status tells.
    if (std::ranges::any_of(state_->lines, [&said](const SinkInUse& line) { return line.said == said; })) continue;
    if (auto fits = check_sink(said); !fits) return wrong(std::move(fits.error()));
  }
  return {};
}

void Shipping::try_now(const std::string& name) {
  for (const SinkInUse& line : state_->lines)
    if (line.said.name == name && line.shipper) line.shipper->try_now();
}

Result<void> Shipping::change(const std::vector<config::Sink>& sinks, bool compress) {
  State& state = *state_;
  BERTH_CHECK(check(sinks));
  state.compresses = compress;
  std::vector<SinkInUse> before = std::exchange(state.lines, {});
  const auto hold = [](std::shared_ptr<State> held, SinkInUse old) -> awaitable<void> { co_await held->leave(std::move(old)); };
  for (const config::Sink& said : sinks) {
    const auto old = std::ranges::find(before, said.name, [](const SinkInUse& line) { return line.said.name; });
    if (old != before.end() && old->said == said && old->shipper) {
      old->shipper->try_now();
      state.lines.push_back(std::move(*old));
      before.erase(old);
      continue;
    }
    state.lines.push_back({.said = said, .shipper = nullptr});
    const bool leaves = std::ranges::any_of(state.leaving, [&](const SinkInUse& line) { return line.said.name == said.name; });
    if (old != before.end() && old->shipper) {
      state.parts.loop.spawn("change sink " + said.name, hold(state_, std::move(*old)));
      before.erase(old);
    } else if (!leaves) {
      state.start(state.lines.back());
    }
  }
  for (SinkInUse& old : before)
    if (old.shipper) state.parts.loop.spawn("leave sink " + old.said.name, hold(state_, std::move(old)));
  state.woken.notify();
  return {};
}

std::function<void()> Shipping::waker() const {
  return [&loop = state_->parts.loop, its = std::weak_ptr(state_)] {
    loop.post([its] {
      if (const auto there = its.lock()) there->woken.notify();
    });
  };
}

void Shipping::stop() {
  state_->stopping = true;
  state_->stop.request_stop();
  state_->woken.notify();
  for (const SinkInUse& line : state_->lines)
    if (line.shipper) line.shipper->stop();
}

awaitable<bool> Shipping::ended(milliseconds at_most) {
  const auto state = state_;
  const auto until = io::Steady::now() + at_most;
  std::vector<Shipper*> shippers;  // once it is stopped none of them goes before this object does
  for (const auto* lines : {&state->lines, &state->leaving})
    for (const SinkInUse& line : *lines)
      if (line.shipper) shippers.push_back(line.shipper.get());
  bool all = true;
  for (Shipper* const shipper : shippers) {
    const milliseconds left = std::max(milliseconds(0), std::chrono::ceil<milliseconds>(until - io::Steady::now()));
    const bool one = co_await shipper->ended(left);
    all = all && one;
  }
  co_return all;
}

std::vector<SinkStatus> Shipping::statuses() const {
  std::vector<SinkStatus> all;
  for (const SinkInUse& line : state_->lines) {
    if (line.shipper) all.push_back(line.shipper->status());
    else all.push_back({.name = line.said.name, .kind = line.said.kind, .required = line.said.required, .state = "changing"});
  }
  return all;
}

/// Looks whether there is something to ship, as long as somebody wants it: less often while nothing is written.
awaitable<void> Shipping::State::scan() {
  milliseconds between = kAfterAChange;
  while (!stopping) {
    if (lines.empty()) {
      newest.reset();
      between = kUntilWoken;
    } else {
      std::shared_ptr<const Scan> seen;
      if (has_webhooks()) {
        seen = std::make_shared<const Scan>(Scan{.logs = {}, .event = parts.last_event()});  // at once: who wakes this in between would not be heard
      } else {
        const auto look = [this] {
          auto now = std::make_shared<Scan>();
          now->logs = scanner.look();
          now->event = parts.last_event();
          now->daemon_line = parts.daemon_log ? parts.daemon_log->last() : 0;
          return std::shared_ptr<const Scan>(std::move(now));
        };
        seen = co_await parts.looks.run(look);
        if (stopping) co_return;
      }
      const bool changed = !newest || *newest != *seen;
      newest = std::move(seen);
      if (changed)
        for (const SinkInUse& line : lines)
          if (line.shipper) line.shipper->news(newest);
      between = has_webhooks() ? kUntilWoken : changed ? kAfterAChange : std::min(2 * between, kBetweenScans);
    }
    co_await woken.wait(between);
  }
}

awaitable<void> Shipping::State::compress() {
  std::string trouble;
  while (!stopping) {
    co_await woken.wait(kBetweenCompressions);
    if (stopping) co_return;
    if (!compresses) continue;
    const auto work = [root = parts.logs, token = stop.get_token(), give_way = parts.give_way] {
      if (give_way) give_way();
      return compress_all(root, token);
    };
    const auto done = co_await parts.idle.run(work);
    const std::string now = done ? std::string() : done.error().message;
    if (!now.empty() && now != trouble) spdlog::warn("logs are not compressed: {}", now);
    trouble = now;
  }
}

}  // namespace berth::ship
