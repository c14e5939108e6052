#include "daemon/live_node.h"

#include <algorithm>
#include <numeric>

#include <fmt/ranges.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include "core/files/files.h"
#include "daemon/clients.h"
#include "daemon/deploy/app_facts.h"
#include "daemon/host/disks.h"
#include "daemon/log_feed.h"
#include "daemon/metrics/snapshot.h"

namespace berth {
namespace {

constexpr std::chrono::seconds kScrapePatience{1};
constexpr int kMostReaders = 32, kReadersHere = 8, kMostOfOne = 8;  ///< of events and logs as they come, and likewise of one-off commands

/// Makes something true while it lives, also where whoever asked goes away.
class Claim {
 public:
  explicit Claim(std::shared_ptr<bool> claimed) : claimed_(std::move(claimed)) { *claimed_ = true; }
  Claim(const Claim&) = delete;
  Claim& operator=(const Claim&) = delete;
  ~Claim() { *claimed_ = false; }

 private:
  std::shared_ptr<bool> claimed_;
};

metrics::NodeStatus fixed_facts(const config::Config& config, bool limits_enforced) {
  metrics::NodeStatus node;
  node.node = config.node;
  node.environment = config.environment;
  node.version = BERTH_VERSION;
  node.since = store::now_text();
  node.repository = config.repository.url;
  node.root = config.repository.root;
  node.ca_file = config.repository.ca_file;
  node.certificate_file = config.repository.certificate_file;
  node.key_file = config.repository.key_file;
  node.disk_reserve = config.reserve;
  node.limits_enforced = limits_enforced;
  node.paths = {.state = config.state, .logs = config.logs, .run = config.run};
  if (!config.files.empty()) node.config_file = std::filesystem::absolute(config.files.front()).lexically_normal();
  return node;
}

api::PageAccess own_names(const config::Config& config) {
  api::PageAccess access{.names = {config.node}};
  char host[256] = {};
  if (::gethostname(host, sizeof host - 1) == 0) access.names.emplace_back(host);
  return access;
}

std::optional<api::PageAccess> page_of(const config::Config& config) {
  if (!config.status_page) return {};
  return own_names(config);
}

/// Where neither a token nor a certificate is shown, a browser may be led to ask.
std::optional<api::PageAccess> status_access_of(const config::Config& config) {
  if (!config.metrics_token.empty() || !config.metrics_tls.client_ca_file.empty()) return {};
  return own_names(config);
}

}  // namespace

LiveNode::LiveNode(Parts parts, const config::Config& config, bool limits_enforced, std::vector<api::Group> groups)
    : parts_(std::move(parts)),
      told_(std::make_shared<io::Event>(parts_.loop.executor())),
      page_(page_of(config)),
      status_access_(status_access_of(config)),
      ready_(parts_.loop.executor()),
      scraping_ended_(parts_.loop.executor()),
      fixed_(fixed_facts(config, limits_enforced)),
      groups_(std::move(groups)),
      clients_(clients_of(config)),
      root_(api::identify({.uid = 0, .gid = 0}, {})) {
  // Told by whatever thread writes; this may be gone then.
  parts_.store.on_event([&loop = parts_.loop, told = std::weak_ptr(told_)] {
    loop.post([told] {
      if (const auto there = told.lock()) there->notify();
    });
  });
}

awaitable<metrics::NodeStatus> LiveNode::status() {
  metrics::NodeStatus node = fixed_;
  node.ready = parts_.operations.ready();
  // Both may wait: for a disk, and for a refresh of the repository that is under way.
  const auto look = [&store = parts_.store, state = node.paths.state, logs = node.paths.logs, repository = parts_.repository] {
    return std::tuple(files::free_bytes(state).value_or(0), repository != nullptr ? repository->trust() : fetch::TrustStatus{},
                      store.left_apps().value_or(std::vector<store::LeftApp>()), host::room_on_another_disk(logs, state));
  };
  auto seen = co_await parts_.pool.run(look);
  node.disk_free = std::get<0>(seen);
  node.trust = std::move(std::get<1>(seen));
  node.left = std::move(std::get<2>(seen));
  // One that is small is not full from the start.
  if (const auto& room = std::get<3>(seen)) node.logs_disk = {.free = room->free, .reserve = std::min(node.disk_reserve, room->size / 10)};
  node.follows = parts_.follower.statuses();
  node.sinks = parts_.shipping.statuses();
  node.webhooks = parts_.webhooks.statuses();
  node.config_refused = config_refused_;
  node.remote_api = parts_.remote_api();
  node.metrics_listener = parts_.metrics_listener();
  if (node.metrics_listener && node.metrics_listener->problem.empty()) node.metrics_listener->problem = parts_.token.problem();
  node.drained = parts_.operations.drained();
  node.events_intrusion = parts_.store.event_intrusion();
  node.events_trouble = parts_.store.event_trouble();
  co_return node;
}

awaitable<Result<void>> LiveNode::test_webhook(std::string name, deploy::Asked asked) {
  std::vector<std::string> known;
  for (const auto& webhook : parts_.webhooks.statuses()) known.push_back(webhook.name);
  if (std::ranges::find(known, name) == known.end())
    co_return fail(Errc::not_found, known.empty() ? fmt::format("there is no webhook '{}': berthd.toml has none", name)
                                                  : fmt::format("there is no webhook '{}' in berthd.toml, which has {}", name, fmt::join(known, ", ")));
  store::Event event = deploy::operator_event("webhook_test", "", asked, {{"webhook", name}});
  const auto add = [&store = parts_.store, event = std::move(event)] { return store.add_event(event); };
  auto added = co_await parts_.pool.run(add);
  if (added) parts_.webhooks.try_now(name);
  co_return added;
}

awaitable<Result<std::vector<store::Event>>> LiveNode::events(std::int64_t first, int most, std::string app) {
  const auto read = [&store = parts_.store, first, most, app] { return store.events(first, most, app); };
  auto events = co_await parts_.pool.run(read);
  co_return events;
}

awaitable<std::int64_t> LiveNode::first_of_newest(int most, std::vector<std::string> apps) {
  const auto look = [&store = parts_.store, most, apps] { return store.first_of_newest_events(most, apps); };
  const auto first = co_await parts_.pool.run(look);
  co_return first;
}

awaitable<bool> LiveNode::happened_since(std::int64_t number, std::string app) {
  const auto look = [&store = parts_.store, number, app] {
    const std::int64_t newest = store.first_of_newest_events(1, {app});
    return newest > number && newest <= store.last_event();  // else there is none of it
  };
  const bool happened = co_await parts_.pool.run(look);
  co_return happened;
}

awaitable<Result<std::shared_ptr<api::LogFeed>>> LiveNode::logs(logs::LogQuery query) {
  if (!reading_) reading_ = std::make_unique<io::Pool>(1);
  auto feed = co_await FileLogFeed::open(*reading_, fixed_.paths.logs, std::move(query));
  co_return feed;
}

awaitable<void> LiveNode::event_after(std::int64_t number, std::chrono::milliseconds at_most) {
  if (last_event() <= number) co_await told_->wait(at_most);
}

/// One caller from afar, or who is not for the whole node, gets few, and all of them together leave some to the admins who are here.
std::shared_ptr<void> LiveNode::place_of(const std::shared_ptr<Places>& places, const api::Caller& caller) {
  const bool has_all = caller.on_node && caller.role == api::Role::admin;
  const int all = std::accumulate(places->begin(), places->end(), 0, [](int sum, const auto& one) { return sum + one.second; });
  if (all >= (has_all ? kMostReaders : kMostReaders - kReadersHere)) return nullptr;
  int& its = (*places)[caller.name];  // which is above 0 from here on, or has been
  if (!has_all && its >= kMostOfOne) return nullptr;
  ++its;
  return std::shared_ptr<void>(&its, [places, name = caller.name](void*) {
    if (--(*places)[name] == 0) places->erase(name);
  });
}

std::shared_ptr<void> LiveNode::page_place() {
  if (*page_places_ >= kMostReaders) return nullptr;
  ++*page_places_;
  return std::shared_ptr<void>(page_places_.get(), [taken = page_places_](void*) { --*taken; });
}

awaitable<std::string> LiveNode::write_aside(std::function<std::string()> write) {
  auto text = co_await parts_.pool.run(std::move(write));
  co_return text;
}

awaitable<std::string> LiveNode::metrics() {
  metrics::Snapshot snapshot;
  snapshot.node = co_await status();
  auto apps = co_await parts_.operations.status();
  if (apps) {
    snapshot.apps = std::move(*apps);
  } else {
    spdlog::error("metrics: the apps' state cannot be read: {}", apps.error().message);
  }
  snapshot.counts = parts_.operations.counts();
  snapshot.events = parts_.store.last_event();
  snapshot.events_damaged = !parts_.store.event_trouble().empty() || !snapshot.node.events_intrusion.empty();
  snapshot.slow_readers = slow_readers_;
  snapshot.loop_lag = parts_.loop.longest_turn();
  auto write = [given = std::move(snapshot)]() mutable {
    metrics::Snapshot all = std::move(given);  // so that it is given back here, not on the loop
    std::vector<supervise::InstanceStatus> instances;
    for (const auto& app : all.apps)
      for (const auto& view : app.instances) instances.push_back(view.status);
    all.usage = metrics::instance_usages(instances);
    all.process = metrics::process_usage();
    return metrics::exposition(all);
  };
  auto text = co_await parts_.pool.run(std::move(write));
  co_return text;
}

/// However many ask, the apps are asked once at a time: who comes meanwhile is given what that brings.
awaitable<std::shared_ptr<const std::string>> LiveNode::app_metrics() {
  const std::uint64_t before = scrapes_;
  while (*scraping_ && scrapes_ == before) co_await scraping_ended_.wait(kScrapePatience);
  if (scrapes_ != before) co_return scraped_;
  const Claim claim(scraping_);
  auto pages = co_await parts_.operations.scrape_apps();
  auto write = [all = std::move(pages), report = left_out_] {
    metrics::WhyLeftOut left_out;
    auto page = std::make_shared<const std::string>(metrics::app_exposition(all, &left_out));
    report->note(left_out);
    return page;
  };
  scraped_ = co_await parts_.pool.run(std::move(write));
  ++scrapes_;
  scraping_ended_.notify();
  co_return scraped_;
}

awaitable<bool> LiveNode::until_ready(std::chrono::milliseconds at_most) {
  if (parts_.operations.ready()) co_return true;
  co_await ready_.wait(at_most);
  co_return parts_.operations.ready();
}

awaitable<api::Caller> LiveNode::caller(io::Peer peer) {
  if (peer.names) co_return api::identify_client(peer, clients_);
  if (peer.uid == 0) co_return root_;
  const auto look = [peer, groups = groups_] { return api::identify(peer, groups); };
  auto found = co_await parts_.pool.run(look);
  co_return found;
}

}  // namespace berth
