#include "daemon/follow/follower.h"

#include <algorithm>
#include <random>
#include <set>
#include <utility>

#include <fmt/core.h>
#include <spdlog/spdlog.h>

#include "daemon/deploy/visits.h"
#include "daemon/follow/decision.h"
#include "daemon/journal/message.h"

namespace berth::follow {
namespace {

using boost::asio::awaitable;
using std::chrono::milliseconds;

constexpr int kMostDeployments = 50;                       ///< of an app, looked at
constexpr milliseconds kLongestFirstWait{3000};            ///< so that a node that was just set up converges soon
constexpr milliseconds kLongestAfterOpening{300'000};      ///< until an app is polled whose window has opened
constexpr std::size_t kMostFailures = 32;                  ///< different ones that are kept in mind
constexpr const char* kWantedEvent = "follow.wanted";

/// What one rule is at.
struct Rule {
  Rule(boost::asio::any_io_executor executor, const config::Follow& said, const std::string& environment)
      : followed{.app = said.app, .environment = environment, .channel = said.channel, .release = said.release},
        windows(said.windows),
        status{.app = said.app, .channel = said.channel, .interval = said.interval},
        woken(std::move(executor)) {}

  /// "web follows stable", "web follows v42": for the log.
  std::string text() const { return fmt::format("{} follows {}", followed.app, followed.channel.empty() ? followed.release : followed.channel); }
  /// Why something is deployed: "channel stable, serial 7", "release v42".
  std::string reason() const {
    if (followed.channel.empty()) return "release " + followed.release;
    return fmt::format("channel {}, serial {}", followed.channel, status.serial);
  }

  fetch::Followed followed;
  std::vector<config::Window> windows;
  std::chrono::system_clock::time_point opens{};  ///< when one of them will, where that is waited for
  Status status;
  fetch::Wanted told;              ///< in the last event `follow.wanted` of what is followed, also of a berthd before; empty: none was
  std::set<std::string> failures;  ///< what went wrong, each told once, since the last time that all was well
  bool soon = false;  ///< woken while nobody waited
  io::Event woken;
};

void log_failure(const Rule& rule, const std::string& why) {
  journal::log(spdlog::level::warn, journal::Message::follow_failing, {.app = rule.followed.app, .reason = why}, fmt::format("{}: {}", rule.text(), why));
}

store::Event event_of(const Rule& rule, std::string kind) {
  boost::json::object data{{"by", kFollow}};
  if (rule.followed.channel.empty()) data["release"] = rule.followed.release;
  else data["channel"] = rule.followed.channel;
  return {.number = 0, .at = {}, .kind = std::move(kind), .app = rule.followed.app, .data = std::move(data)};
}

/// What an event says that was wanted; nothing where it is of another channel.
fetch::Wanted told_by(const store::Event& event, const fetch::Followed& followed) {
  const auto text = [&](const char* key) {
    const auto* value = event.data.if_contains(key);
    return value != nullptr && value->is_string() ? std::string(value->get_string().c_str()) : std::string();
  };
  if (text("channel") != followed.channel) return {};
  const auto* serial = event.data.if_contains("serial");
  return {.release = text("release"), .serial = serial != nullptr && serial->is_int64() ? serial->get_int64() : 0};
}

}  // namespace

struct Follower::State : std::enable_shared_from_this<Follower::State> {
  State(FollowerParts its_parts, const std::vector<config::Follow>& said, const std::string& environment)
      : parts(std::move(its_parts)), polling(parts.loop.executor(), 1) {
    for (const config::Follow& one : said) rules.push_back(std::make_unique<Rule>(parts.loop.executor(), one, environment));
  }

  awaitable<void> follow(std::size_t which);
  awaitable<void> recall(Rule& rule);
  awaitable<void> poll(Rule& rule);
  awaitable<void> note_success(Rule& rule, fetch::Wanted wanted);
  awaitable<void> note_failure(Rule& rule, Error error);
  awaitable<void> settle(Rule& rule);
  awaitable<Result<Present>> look(Rule& rule);
  awaitable<void> tell(store::Event event);
  double chance() { return std::uniform_real_distribution<double>(0, 1)(random); }

  FollowerParts parts;
  std::vector<std::unique_ptr<Rule>> rules;
  deploy::Visits polling;  ///< a repository that hangs holds one thread of the pool
  std::stop_source stop;
  std::minstd_rand random{std::random_device{}()};
};

milliseconds jittered(milliseconds interval, double chance) {
  return milliseconds(static_cast<std::int64_t>(static_cast<double>(interval.count()) * (0.9 + 0.2 * chance)));
}

milliseconds wait_before_poll(milliseconds interval, std::chrono::system_clock::time_point opens, std::chrono::system_clock::time_point now, double chance) {
  const milliseconds usual = jittered(interval, chance);
  if (opens <= now) return usual;
  const auto spread = milliseconds(static_cast<std::int64_t>(static_cast<double>(std::min(interval, kLongestAfterOpening).count()) * chance));
  return std::min(usual, std::chrono::ceil<milliseconds>(opens - now) + spread);
}

Follower::Follower(FollowerParts parts, std::vector<config::Follow> rules, const std::string& environment)
    : state_(std::make_shared<State>(std::move(parts), rules, environment)) {}

Follower::~Follower() { stop(); }

void Follower::start() {
  const auto hold = [](std::shared_ptr<State> state, std::size_t which) -> awaitable<void> { co_await state->follow(which); };
  for (std::size_t i = 0; i < state_->rules.size(); ++i) state_->parts.loop.spawn("follow " + state_->rules[i]->followed.app, hold(state_, i));
}

void Follower::stop() {
  state_->stop.request_stop();
  for (const auto& rule : state_->rules) rule->woken.notify();
}

void Follower::wake(const std::string& app) {
  for (const auto& rule : state_->rules) {
    if (rule->followed.app != app) continue;
    rule->soon = true;
    rule->woken.notify();
  }
}

std::vector<Status> Follower::statuses() const {
  std::vector<Status> all;
  for (const auto& rule : state_->rules) all.push_back(rule->status);
  return all;
}

/// One rule, for ever.
awaitable<void> Follower::State::follow(std::size_t which) {
  Rule& rule = *rules[which];
  co_await recall(rule);
  milliseconds wait(static_cast<std::int64_t>(static_cast<double>(std::min(rule.status.interval, kLongestFirstWait).count()) * chance()));
  while (!stop.stop_requested()) {
    if (!rule.soon) co_await rule.woken.wait(wait);
    rule.soon = false;
    if (stop.stop_requested()) co_return;
    co_await poll(rule);
    wait = wait_before_poll(rule.status.interval, rule.opens, std::chrono::system_clock::now(), chance());
  }
}

/// Until the first poll, status shows what was known before. What was told of it is another thing: berthd may have died in between.
awaitable<void> Follower::State::recall(Rule& rule) {
  const auto ask = [remembered = parts.source.remembered, followed = rule.followed] { return remembered(followed); };
  const auto known = co_await parts.pool.run(ask);
  if (!known) spdlog::warn("{}: {}", rule.text(), known.error().message);
  if (!known || !*known) co_return;
  rule.status.wanted = (*known)->release;
  rule.status.serial = (*known)->serial;
  const auto look = [told = parts.told, app = rule.followed.app] { return told(app); };
  const auto event = co_await parts.pool.run(look);
  if (event) rule.told = told_by(*event, rule.followed);
}

awaitable<void> Follower::State::poll(Rule& rule) {
  struct Answer {
    Result<fetch::Wanted> wanted;
    fetch::Followed followed;
  };
  const auto ask = [source = parts.source.poll, followed = rule.followed, token = stop.get_token()]() mutable {
    auto wanted = source(followed, token);
    return Answer{.wanted = std::move(wanted), .followed = std::move(followed)};
  };
  std::optional<Answer> answer;
  {
    const deploy::Visits::Visit visit = co_await polling.begin();
    if (stop.stop_requested()) co_return;
    auto got = co_await parts.pool.run(ask);
    answer.emplace(std::move(got));
  }
  rule.followed = std::move(answer->followed);
  if (stop.stop_requested()) co_return;
  rule.status.last_poll = store::now_text();
  ++rule.status.polls;
  if (!answer->wanted) {
    co_await note_failure(rule, answer->wanted.error());
    co_return;
  }
  co_await note_success(rule, *answer->wanted);
  co_await settle(rule);
}

awaitable<void> Follower::State::note_failure(Rule& rule, Error error) {
  Status& status = rule.status;
  ++status.failures;
  if (status.failing_since.empty()) status.failing_since = status.last_poll;
  status.last_error = error.message;
  if (rule.failures.size() >= kMostFailures) rule.failures.clear();
  if (!rule.failures.insert(error.message).second) co_return;  // also where two take turns
  log_failure(rule, error.message);
  if (error.code != Errc::trust) co_return;
  store::Event event = event_of(rule, "follow.refused");
  event.data["reason"] = error.message;
  co_await tell(std::move(event));
}

awaitable<void> Follower::State::note_success(Rule& rule, fetch::Wanted wanted) {
  Status& status = rule.status;
  if (!status.failing_since.empty()) spdlog::info("{}, which can be asked again", rule.text());
  status.last_success = status.last_poll;
  status.failing_since.clear();
  status.last_error.clear();
  rule.failures.clear();
  status.wanted = wanted.release;
  status.serial = wanted.serial;
  if (rule.told == wanted) co_return;
  store::Event event = event_of(rule, kWantedEvent);
  event.data["release"] = wanted.release;
  if (wanted.serial > 0) event.data["serial"] = wanted.serial;
  if (!rule.told.release.empty()) event.data["before"] = rule.told.release;
  rule.told = std::move(wanted);
  spdlog::info("{}: {} is wanted", rule.text(), status.wanted);
  co_await tell(std::move(event));
}

awaitable<void> Follower::State::tell(store::Event event) {
  const auto add = [add_event = parts.tell, event = std::move(event)] { add_event(event); };
  co_await parts.pool.run(add);
}

awaitable<Result<Present>> Follower::State::look(Rule& rule) {
  Present present;
  auto app = co_await parts.operations.status(rule.followed.app);
  if (!app && app.error().code != Errc::not_found) co_return std::unexpected(app.error());
  if (app) present.app = std::move(*app);
  store::DeploymentQuery newest;
  newest.app = rule.followed.app;
  newest.most = kMostDeployments;
  auto deployments = co_await parts.operations.deployments(newest);
  if (!deployments) co_return std::unexpected(deployments.error());
  present.deployments = std::move(*deployments);
  co_return present;
}

/// Brings the app to what is wanted, where nothing speaks against it.
awaitable<void> Follower::State::settle(Rule& rule) {
  Status& status = rule.status;
  rule.opens = {};
  const auto present = co_await look(rule);
  if (!present) {
    status.note = "what is active is not known: " + present.error().message;
    co_return;
  }
  const Decision decision = decide(status.app, status.wanted, *present, status.interval, rule.windows, std::chrono::system_clock::now());
  if (decision.kind == Decision::Kind::left_alone && status.note != decision.why)
    spdlog::warn("{}, {} is wanted, and the app stays where it is: {}", rule.text(), status.wanted, decision.why);
  status.note = decision.why;
  if (decision.kind == Decision::Kind::closed) rule.opens = decision.at;
  if (decision.kind != Decision::Kind::deploy || stop.stop_requested()) co_return;
  deploy::DeployRequest request{.app = status.app, .release = status.wanted, .yields = true, .asked = {.by = kFollow, .why = rule.reason()}};
  const auto begun = co_await parts.operations.deploy(std::move(request));
  if (!begun) status.note = begun.error().message;
  else if (!begun->already) status.note = fmt::format("deployment {} of {} is {}", begun->row.id, begun->row.release, begun->row.state);
}

}  // namespace berth::follow
